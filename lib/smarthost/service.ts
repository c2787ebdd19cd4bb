/** The smarthost: its settings, its password, and trying both. */
import type { Helper } from '../client/helper.js';
import type { ParamsOf, ResultOf } from '../privileged/actions/index.js';
import type { Row } from '../changes/change.js';
import { noHelper } from '../changes/failures.js';
import type { SignedInUser } from '../contract.js';
import { UserError } from '../errors.js';
import type { MachineView } from '../machine/service.js';
import {
  createSettingsService,
  type Current,
  type SettingsParts,
  type SettingsService,
} from '../settings/service.js';
import {
  createPasswords,
  decidePassword,
  type Decided,
  type Passwords,
  type TypedPassword,
} from './password.js';
import { isPlainAddress } from './address.js';
import { NO_SMARTHOST, smarthostSchema, type SmarthostSettings } from './schema.js';
import { createTrials, type TrialForm, type Trials } from './trials.js';
import { smarthostTitle } from './words.js';

export type ConnectionResult = ResultOf<'smarthost-test'>;
export type MessageResult = ResultOf<'test-message'>;
export type MessageOrder = ParamsOf<'test-message'>;

export type TrialAnswer =
  | { readonly kind: 'connection'; readonly result: ConnectionResult; readonly order: Addresses }
  | { readonly kind: 'message'; readonly result: MessageResult; readonly order: Addresses };

export interface Addresses {
  readonly sender: string;
  readonly recipient: string;
}

export interface SmarthostService extends SettingsService<SmarthostSettings> {
  readonly passwords: Passwords;
  readonly trials: Trials<TrialAnswer>;
  /** The password these settings shall have. Throws `UserError` when it must be entered (again). */
  decide(
    typed: TypedPassword,
    target: SmarthostSettings,
    current: SmarthostSettings,
    owner: string,
  ): Promise<Decided>;
  /** Starts a test of the connection; null when too many are under way. */
  testConnection(
    settings: SmarthostSettings,
    order: Addresses,
    actor: string,
    form: TrialForm,
  ): string | null;
  /** Starts a real message; null when too many are under way. */
  sendMessage(order: MessageOrder, actor: string): string | null;
  /** Who a test is from and to, when nobody says otherwise. */
  addresses(
    settings: SmarthostSettings,
    user: SignedInUser,
    machine: MachineView | null,
  ): Addresses;
  /** For an undo that asks for the password: seals it for the row as it will be. */
  sealAgain(row: Row, secret: string): Promise<string>;
  close(): Promise<void>;
}

export function createSmarthostService({
  helper,
  onSent = () => Promise.resolve(),
  ...parts
}: Pick<SettingsParts<SmarthostSettings>, 'db' | 'changes' | 'machine'> & {
  readonly helper: Helper | null;
  /** Hears of a test message that its recipient's server took. */
  readonly onSent?: (recipient: string, actor: string) => Promise<void>;
}): SmarthostService {
  const settings = createSettingsService<SmarthostSettings>({
    ...parts,
    section: 'smarthost',
    fallback: NO_SMARTHOST,
    schema: smarthostSchema,
    title: smarthostTitle,
  });
  const asked = (): Helper => {
    if (helper === null) throw noHelper();
    return helper;
  };
  const passwords = createPasswords(async () => {
    const { publicKey } = await asked().call('describe', {}, { actor: 'pages' });
    return publicKey;
  });
  const trials = createTrials<TrialAnswer>();

  return {
    ...settings,
    current: async () => withPassword(await settings.current()),
    passwords,
    trials,
    decide: (typed, target, current, owner) =>
      decidePassword(typed, target, current, owner, passwords),
    testConnection: (wanted, order, actor, form) =>
      trials.start(actor, form, async (signal) => {
        const params = { settings: wanted, ...order };
        const result = await asked().call('smarthost-test', params, { actor, signal });
        return { kind: 'connection', result, order };
      }),
    sendMessage: (order, actor) =>
      trials.start(actor, null, async (signal) => {
        const result = await asked().call('test-message', order, { actor, signal });
        const { sender, recipient } = order;
        if (result.followed && result.state === 'sent') await onSent(recipient, actor);
        return { kind: 'message', result, order: { sender, recipient } };
      }),
    addresses: ({ username }, { email }, machine) => {
      const own = [username, email ?? ''].find(isPlainAddress);
      const fallback = `postmaster@${machine?.serverName ?? 'localhost'}`;
      return { sender: own ?? fallback, recipient: email ?? own ?? fallback };
    },
    sealAgain: async ({ id, value }, secret) => {
      if (id !== 'smarthost') {
        throw new UserError({ key: 'history.error.ownPage', values: {}, field: 'password' });
      }
      return passwords.seal(secret, value as SmarthostSettings);
    },
    close: () => trials.close(),
  };
}

/** A password that was taken back to none is '' as everywhere. */
function withPassword(current: Current<SmarthostSettings>): Current<SmarthostSettings> {
  const { password } = current.settings as { password: string | null };
  return { ...current, settings: { ...current.settings, password: password ?? '' } };
}
