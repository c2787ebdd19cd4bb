import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { homeDomain } from '../../lib/aliases/home-domain.js';
import type { AllSettings } from '../../lib/sections/section.js';

const machine = (mydestination: string, isSet = true) => ({
  parameter: (name: string) => ({ mydestination, myhostname: 'old.example' })[name] ?? '',
  isSet: () => isSet,
});
const named = (mailServerName: string): AllSettings => ({ base: { mailServerName } });
const DEBIAN = '$myhostname, appliance.example, localhost.example, localhost';
const DEFAULT = '$myhostname, localhost.$mydomain, localhost';

describe('the home domain', () => {
  it('is one of the local domains of the settings, and stays it', () => {
    const all = { ...named('mail.example'), domains: { names: ['one.example', 'two.example'] } };
    assert.equal(homeDomain(all, machine(DEBIAN), null), 'one.example');
    assert.equal(homeDomain(all, machine(DEBIAN), 'two.example'), 'two.example');
    assert.equal(homeDomain(all, machine(DEBIAN), 'gone.example'), 'one.example');
  });

  it('is no name of the machine itself where mail from elsewhere could name another one', () => {
    const names = ['appliance', 'localhost.localdomain', 'xn--mller-kva.example'];
    const all = { ...named('mail.example'), domains: { names } };
    const last = 'localhost.localdomain';
    assert.equal(homeDomain(all, machine(DEBIAN), null), 'xn--mller-kva.example');
    assert.equal(homeDomain(all, machine(DEBIAN), last), 'xn--mller-kva.example');
    assert.equal(homeDomain(all, machine(DEBIAN), 'appliance'), 'appliance');
    assert.equal(homeDomain({ domains: { names: [last] } }, machine(''), null), last);
  });

  it('does not go with the name of the server where another domain is written out', () => {
    assert.equal(homeDomain({}, machine(DEBIAN), null), 'appliance.example');
    assert.equal(homeDomain(named('new.example'), machine(DEBIAN), null), 'appliance.example');
  });

  it('is the name the server is about to get, where that is all there is', () => {
    assert.equal(homeDomain({}, machine(DEFAULT), null), 'old.example');
    assert.equal(homeDomain(named('new.example'), machine(DEFAULT), 'old.example'), 'new.example');
  });

  it('is localhost when the server is about to lose a name of its own', () => {
    assert.equal(homeDomain(named(''), machine(DEFAULT), 'old.example'), 'localhost');
    assert.equal(homeDomain(named(''), machine(DEFAULT, false), null), 'old.example');
    assert.equal(homeDomain({}, machine('localhost'), null), 'localhost');
    assert.equal(homeDomain({}, machine(''), null), '');
  });
});
