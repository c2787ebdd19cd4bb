import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Router } from 'express';
import knex from 'knex';
import type { Role } from '../../lib/contract.js';
import { readManifest } from '../../lib/manifest.js';
import { createDummyHost, type GuardHandler } from '../support/dummy-host.js';

interface Route {
  readonly path: string;
  readonly methods: readonly string[];
  /** The role of its first handler; undefined when that is no guard. */
  readonly role: Role | undefined;
}

/** Every route of a router and of the routers in it. */
function routesOf(router: Router): readonly Route[] {
  return router.stack.flatMap((layer): readonly Route[] => {
    if (layer.route !== undefined) {
      const [first] = layer.route.stack;
      const methods = layer.route.stack.map(({ method }) => method);
      const role = (first?.handle as Partial<GuardHandler> | undefined)?.role;
      return [{ path: layer.route.path, methods: [...new Set(methods)], role }];
    }
    const inner = layer.handle as unknown as Partial<Router>;
    return inner.stack === undefined ? [] : routesOf(inner as Router);
  });
}

describe('routes', () => {
  const { plugin } = createDummyHost({ db: knex({ client: 'pg' }) });
  const routes = routesOf(plugin.router);
  const manifest = readManifest();
  const listed = manifest.menu.flatMap((entry) => [entry, ...(entry.tabs ?? [])]);

  it('ask for a role first, all of them but the public files', () => {
    assert.ok(routes.length > 8, 'the test finds the routes at all');
    const open = routes.filter(({ role }) => role === undefined).map(({ path }) => path);
    assert.deepEqual(open, ['/public/:name']);
  });

  it('let nobody change anything who may only look', () => {
    const changing = routes.filter(({ methods }) => methods.some((method) => method !== 'get'));
    assert.ok(changing.length > 3);
    for (const { path, role } of changing) assert.notEqual(role, 'mail.read', path);
  });

  it('are behind every entry of the menu, with the same role', () => {
    for (const { path, role, id } of listed) {
      const route = routes.find((one) => one.path === path && one.methods.includes('get'));
      assert.equal(route?.role, role, `${id}: ${path}`);
    }
  });

  it('are all reachable from the menu: no page outside of what it lists', () => {
    const roots = listed.map(({ path }) => path).filter((path) => path !== '/');
    const others = [/^\/history\/:id\/undo$/, /^\/public\//, /^\/$/, /^\/(?:guide|start)$/];
    const stray = routes.filter(
      ({ path }) =>
        !roots.some((root) => path === root || path.startsWith(`${root}/`)) &&
        !others.some((pattern) => pattern.test(path)),
    );
    assert.deepEqual(stray, []);
  });
});
