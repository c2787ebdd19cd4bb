/** The states an alias can be in, and the number that stands for each in the database: the most urgent first. */

export const STATE_RANKS = {
  loop: 10,
  dead: 20,
  partly: 30,
  hides: 40,
  unchecked: 50,
  foreign: 60,
  fine: 80,
  off: 90,
} as const;

/** `unchecked`: changed a moment ago, or something it depends on was; it is looked at in the background. */
export type ListedState = keyof typeof STATE_RANKS;
export type AliasState = Exclude<ListedState, 'unchecked'>;

/** States in which mail is lost, or does not go where people expect it. */
export const TROUBLED = ['loop', 'dead', 'partly', 'hides', 'foreign'] as const;

/** What the list can be narrowed to. */
export const STATE_FILTERS = [
  'all',
  'trouble',
  'dead',
  'partly',
  'loop',
  'hides',
  'foreign',
  'fine',
  'off',
] as const;
export type StateFilter = (typeof STATE_FILTERS)[number];

/** Columns the list can be sorted by. */
export const ALIAS_SORTS = ['name', 'goes', 'state'] as const;
export type AliasSort = (typeof ALIAS_SORTS)[number];

export type StateCounts = Readonly<Record<ListedState, number>>;

export const NO_COUNTS: StateCounts = {
  ...{ loop: 0, dead: 0, partly: 0, hides: 0, unchecked: 0, foreign: 0, fine: 0, off: 0 },
};

export function ranksOf(filter: StateFilter): readonly number[] {
  if (filter === 'all') return [];
  const states = filter === 'trouble' ? TROUBLED : [filter];
  return states.map((state) => STATE_RANKS[state]);
}

export function countOf(counts: StateCounts, filter: StateFilter): number {
  const entries = Object.entries(counts) as [ListedState, number][];
  const ranks = ranksOf(filter);
  return entries
    .filter(([state]) => filter === 'all' || ranks.includes(STATE_RANKS[state]))
    .reduce((sum, [, count]) => sum + count, 0);
}
