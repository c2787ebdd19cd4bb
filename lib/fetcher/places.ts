/** Where the fetcher finds its orders and keeps what it knows. Everything below `ROOT` is its own. */
export const FETCH_ORDERS = '/etc/mailserver/fetchmail';
/** What was seen, locks and last results: one folder per query, named by its id, so that no edit loses it. */
export const FETCH_STATE = '/var/lib/mailserver-fetch';

export interface FetchPlaces {
  readonly schedule: string;
  readonly state: string;
  /** The run control file of a query. */
  runControl(id: string): string;
  of(id: string): QueryPlaces;
}

export interface QueryPlaces {
  readonly folder: string;
  /** UIDs of mail that was seen (fetchmail(1), --idfile). */
  readonly ids: string;
  readonly lock: string;
  readonly pid: string;
  readonly status: string;
  /** Digests of mail that was taken while a session with the provider has not ended well. */
  readonly taken: string;
}

/** `root` is '' for the machine itself. */
export function fetchPlaces(root: string): FetchPlaces {
  const orders = `${root}${FETCH_ORDERS}`;
  const state = `${root}${FETCH_STATE}`;
  return {
    schedule: `${orders}/schedule.json`,
    state,
    runControl: (id) => `${orders}/${id}.rc`,
    of: (id) => {
      const folder = `${state}/${id}`;
      return {
        folder,
        ids: `${folder}/ids`,
        lock: `${folder}/lock`,
        pid: `${folder}/pid`,
        status: `${folder}/status.json`,
        taken: `${folder}/taken`,
      };
    },
  };
}
