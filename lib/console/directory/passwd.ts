/** The lines of passwd(5), group(5) and login.defs(5) as people. Pure. */
import type { DirectoryGroup, DirectoryUser } from '../../contract.js';

/** Where people's accounts begin and end, when login.defs(5) does not say. */
const DEFAULT_UIDS: UidRange = { min: 1000, max: 60000 };
/** Shells of accounts that nobody signs in to. */
const CLOSED_SHELL = /\/(nologin|false|sync|shutdown|halt)$/;

export interface UidRange {
  readonly min: number;
  readonly max: number;
}

interface GroupLine extends DirectoryGroup {
  readonly members: readonly string[];
}

/** `UID_MIN` and `UID_MAX`: who is a person and who is a service. */
export function readUidRange(loginDefs: string): UidRange {
  const value = (name: string, fallback: number): number => {
    const match = new RegExp(`^\\s*${name}\\s+(\\d{1,10})\\s*$`, 'm').exec(loginDefs);
    return match?.[1] === undefined ? fallback : Number(match[1]);
  };
  return { min: value('UID_MIN', DEFAULT_UIDS.min), max: value('UID_MAX', DEFAULT_UIDS.max) };
}

/** Lines that are not seven fields with a numeric id (comments, `+::` of NIS) are passed over. */
export function readUsers(passwd: string, group: string, range: UidRange): DirectoryUser[] {
  const groupsOf = memberships(groupLines(group));
  const seen = new Set<string>();
  const ids = new Set<string>();
  const users: DirectoryUser[] = [];
  for (const line of passwd.split('\n')) {
    const fields = line.split(':');
    const [login = '', , uid = '', gid = '', gecos = '', , shell = ''] = fields;
    if (fields.length !== 7 || login === '' || !isId(uid) || seen.has(login)) continue;
    seen.add(login);
    const number = Number(uid);
    const system = number < range.min || number > range.max;
    // The uid outlives a rename of the login; a second login of the same uid is told apart by its name.
    const id = ids.has(uid) ? `${uid}/${login}` : uid;
    ids.add(id);
    users.push({
      id,
      login,
      name: fullName(gecos, login),
      addresses: [],
      hasMailbox: !system,
      system,
      locked: CLOSED_SHELL.test(shell),
      groups: groupsOf(login, gid),
    });
  }
  return users;
}

/** The groups of a person, in the order of their lines. Looked up, not searched: there may be as many groups as people. */
function memberships(
  groups: readonly GroupLine[],
): (login: string, gid: string) => readonly string[] {
  const lines = { ofId: new Map<string, number[]>(), ofMember: new Map<string, number[]>() };
  const add = (map: Map<string, number[]>, key: string, line: number): void => {
    const known = map.get(key);
    if (known) known.push(line);
    else map.set(key, [line]);
  };
  groups.forEach(({ id, members }, line) => {
    add(lines.ofId, id, line);
    for (const member of members) add(lines.ofMember, member, line);
  });
  return (login, gid) => {
    const own = [...(lines.ofId.get(gid) ?? []), ...(lines.ofMember.get(login) ?? [])];
    return [...new Set(own)].sort((a, b) => a - b).map((line) => groups[line]?.name ?? '');
  };
}

export function readGroups(group: string): DirectoryGroup[] {
  return groupLines(group).map(({ id, name }) => ({ id, name }));
}

function groupLines(group: string): GroupLine[] {
  return group.split('\n').flatMap((line) => {
    const fields = line.split(':');
    const [name = '', , id = '', members = ''] = fields;
    if (fields.length !== 4 || name === '' || !isId(id)) return [];
    return [{ id, name, members: members.split(',').filter((member) => member !== '') }];
  });
}

function isId(text: string): boolean {
  return /^\d{1,10}$/.test(text);
}

/** The first part of the comment field; `&` stands for the login with a capital (passwd(5), finger(1)). */
function fullName(gecos: string, login: string): string {
  const [first = ''] = gecos.split(',');
  const capital = login.charAt(0).toUpperCase() + login.slice(1);
  const name = first.replaceAll('&', capital).trim();
  return name === '' ? login : name;
}
