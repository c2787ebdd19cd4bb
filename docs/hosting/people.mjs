// The people of this console, in a file of its own: [{ "id", "login", "name", "role", "password", "addresses", "mailbox" }].
// Passwords are argon2 hashes. Postfix cannot ask this file, so the directory is of kind `table`: the plugin keeps a lookup
// table of all who have a mailbox. People who are accounts of the machine itself are a directory of kind `nss`.
import { readFile } from 'node:fs/promises';
import { watch } from 'node:fs';
import { verify } from '@node-rs/argon2';

export async function openPeople(file) {
  const listeners = new Set();
  let people = await read(file);
  const watcher = watch(file, async () => {
    people = await read(file).catch(() => people);
    for (const listener of listeners) listener();
  });

  return {
    find: async (id) => people.find((person) => person.id === id) ?? null,
    async signIn(login, password) {
      const person = people.find((one) => one.login === login);
      return person && (await verify(person.password, password)) ? person : null;
    },
    directory: {
      kind: 'table',
      users: async () => people.map(toUser),
      groups: async () => [],
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    close: () => watcher.close(),
  };
}

async function read(file) {
  return JSON.parse(await readFile(file, 'utf8'));
}

/** As the plugin knows people: who has a mailbox gets mail, also that of aliases and of bulk mailings. */
function toUser({ id, login, name, addresses, mailbox }) {
  const rest = { system: false, locked: false, groups: [] };
  return { id, login, name, addresses, hasMailbox: mailbox, ...rest };
}
