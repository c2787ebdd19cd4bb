/**
 * What local(8) does with mail for a local address: the system's own aliases (aliases(5)) first, over as many steps as it
 * takes, then the mailbox. Pure: what the aliases file says is given.
 */
import { foldCase } from '../sections/fold-case.js';
import { splitAddress } from './address.js';

/** What stands on the right side of a line of the aliases file. */
export interface LocalTarget {
  readonly kind: 'address' | 'program' | 'file' | 'include';
  /** The address; or the command, the file, the file with the list. */
  readonly text: string;
}

/** `circle`: the system's own aliases, or people's `.forward` files, lead back to where they came from, and local(8) sends the mail back. */
export type Ending = 'mailbox' | 'outside' | 'unknown' | 'program' | 'file' | 'include' | 'circle';

export interface End {
  readonly address: string;
  readonly ending: Ending;
  /** Of a circle: the names once round, with the one where it closes. */
  readonly circle?: readonly string[];
}

/** Whether mail that ends so gets to nobody. */
export function reachesNobody({ ending }: Pick<End, 'ending'>): boolean {
  return ending === 'unknown' || ending === 'circle';
}

/** One expansion that the system's own aliases file decides. */
export interface LocalStep {
  readonly address: string;
  /** Name of the alias. */
  readonly name: string;
  readonly results: readonly string[];
}

/** The names of a circle as people read them. */
export function wayRound(circle: readonly string[]): string {
  return circle.join(' → ');
}

/** How one local address is followed. */
export interface LocalWorld {
  isLocal(domain: string): boolean;
  /** Signs that begin an extension; '' for none. */
  readonly delimiters: string;
  isUser(name: string): boolean;
  systemAlias(name: string): readonly LocalTarget[] | undefined;
}

/** Splits `alice, "|/bin/prog arg", :include:/file` (aliases(5)). */
export function parseAliasValue(value: string): readonly LocalTarget[] {
  const parts = value.match(/(?:"(?:[^"\\]|\\.)*"|[^,"])+/g) ?? [];
  return parts.flatMap((part) => {
    const text = part
      .trim()
      .replace(/^"((?:[^"\\]|\\.)*)"$/, '$1')
      .replace(/\\(.)/g, '$1');
    return text === '' ? [] : [{ kind: kindOf(text), text }];
  });
}

function kindOf(text: string): LocalTarget['kind'] {
  if (text.startsWith('|')) return 'program';
  if (text.startsWith('/')) return 'file';
  return /^:include:/i.test(text) ? 'include' : 'address';
}

/** Follows one address of a local domain, or a bare name, to its ends. */
export function followLocal(
  address: string,
  world: LocalWorld,
): { readonly steps: readonly LocalStep[]; readonly ends: readonly End[] } {
  const steps: LocalStep[] = [];
  const ends = new Map<string, End>();
  const end = (at: string, ending: Ending): unknown =>
    ends.set(foldCase(at), { address: at, ending });
  const open: Open[] = [{ address, chain: [] }];
  for (let current = open.pop(); current; current = open.pop()) {
    const { local, domain } = splitAddress(current.address);
    if (domain !== null && !world.isLocal(domain)) {
      end(current.address, 'outside');
      continue;
    }
    const found = lookUp(local, world, current.chain.at(-1));
    if (!found) {
      const known = namesOf(local, world.delimiters).some((name) => world.isUser(name));
      end(current.address, known ? 'mailbox' : 'unknown');
      continue;
    }
    const { name, targets } = found;
    if (current.chain.includes(name)) {
      const circle = [...current.chain.slice(current.chain.indexOf(name)), name];
      ends.set(foldCase(current.address), { address: current.address, ending: 'circle', circle });
      continue;
    }
    const texts = targets.map(({ kind, text }) =>
      kind === 'address' && !text.includes('@') && domain !== null ? `${text}@${domain}` : text,
    );
    steps.push({ address: current.address, name, results: texts });
    const chain = [...current.chain, name];
    targets.forEach(({ kind }, index) => {
      const text = texts[index] ?? '';
      if (kind === 'address') open.push({ address: text, chain });
      else end(text, kind);
    });
  }
  return { steps, ends: [...ends.values()] };
}

interface Open {
  readonly address: string;
  /** Aliases that led here. */
  readonly chain: readonly string[];
}

/** An alias that names itself means the mailbox of that name. */
function lookUp(
  local: string,
  world: LocalWorld,
  parent: string | undefined,
): { readonly name: string; readonly targets: readonly LocalTarget[] } | null {
  for (const name of namesOf(local, world.delimiters)) {
    const targets = name === parent ? undefined : world.systemAlias(name);
    if (targets) return { name, targets };
  }
  return null;
}

/** A local part as it stands, and without its extension. */
export function namesOf(local: string, delimiters: string): readonly string[] {
  const folded = foldCase(local);
  const { user } = cutExtension(folded, delimiters);
  return user === folded ? [folded] : [folded, user];
}

export function cutExtension(
  local: string,
  delimiters: string,
): { readonly user: string; readonly extension: string } {
  const at = [...local].findIndex((sign, index) => index > 0 && delimiters.includes(sign));
  if (delimiters === '' || at < 0) return { user: local, extension: '' };
  const cut = [...local].slice(0, at).join('').length;
  return { user: local.slice(0, cut), extension: local.slice(cut) };
}
