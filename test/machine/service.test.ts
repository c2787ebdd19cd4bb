/** What pages know of the machine, while answers of the helper overtake each other. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Helper } from '../../lib/client/helper.js';
import { HelperError } from '../../lib/errors.js';
import { createMachine, type Machine } from '../../lib/machine/service.js';
import { silentLog } from '../support/log.js';

const AGE_MS = 30_000;

/** A helper that answers when it is told to, with a name that says which look it was. */
function slowHelper(): { readonly helper: Helper; readonly answers: ((name: string) => void)[] } {
  const answers: ((name: string) => void)[] = [];
  const helper = {
    call: (action: string) =>
      action === 'describe'
        ? Promise.resolve({ postfix: {}, machineName: 'machine.example' })
        : new Promise((resolve) => {
            answers.push((name) =>
              resolve({ sections: {}, queueFreeBytes: 0, effective: { myhostname: name } }),
            );
          }),
  } as unknown as Helper;
  return { helper, answers };
}

describe('what is known of the machine', () => {
  const nameOf = async (look: ReturnType<Machine['look']>) => (await look).view?.serverName;

  it('stays as it was asked after a change, when an answer from before comes late', async () => {
    const { helper, answers } = slowHelper();
    const machine = createMachine(helper, [], { log: silentLog });
    const early = machine.look(AGE_MS);
    machine.forget();
    const late = machine.look(AGE_MS);
    answers[1]?.('after.example');
    assert.equal(await nameOf(late), 'after.example');
    answers[0]?.('before.example');
    await early;
    assert.equal(await nameOf(machine.look(AGE_MS)), 'after.example');
    assert.equal(await nameOf(machine.glance(AGE_MS)), 'after.example');
    assert.equal(answers.length, 2);
  });

  it('is asked anew when the only answer is from before a change', async () => {
    const { helper, answers } = slowHelper();
    const machine = createMachine(helper, [], { log: silentLog });
    const early = machine.look(AGE_MS);
    machine.forget();
    answers[0]?.('before.example');
    await early;
    const glance = machine.glance(AGE_MS);
    assert.equal(answers.length, 2);
    answers[1]?.('after.example');
    assert.equal(await nameOf(glance), 'after.example');
  });

  it('is shown once more by a glance while a newer one is on its way', async () => {
    const { helper, answers } = slowHelper();
    let now = 0;
    const machine = createMachine(helper, [], { log: silentLog, now: () => new Date(now) });
    const first = machine.look(AGE_MS);
    answers[0]?.('old.example');
    await first;
    now = AGE_MS + 1;
    assert.equal(await nameOf(machine.glance(AGE_MS)), 'old.example');
    answers[1]?.('new.example');
    assert.equal(await nameOf(machine.look(AGE_MS)), 'new.example');
    assert.equal(answers.length, 2);
  });

  it('comes with the reason why there is nothing newer when the helper is away', async () => {
    const { helper, answers } = slowHelper();
    let now = 0;
    const away: { call: Helper['call'] } = { ...helper };
    const machine = createMachine(away, [], { log: silentLog, now: () => new Date(now) });
    const first = machine.look(AGE_MS);
    answers[0]?.('old.example');
    await first;
    now = AGE_MS + 1;
    const failure = { stage: 'connect', key: 'helper.away', values: {}, detail: '' } as const;
    away.call = () => Promise.reject(new HelperError({ ...failure, restored: true }));
    const { view, failure: told } = await machine.glance(AGE_MS);
    assert.equal(view?.serverName, 'old.example');
    assert.ok(told instanceof HelperError);
  });
});
