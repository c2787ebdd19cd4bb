/** All migrations of the plugin in their order. A name never changes once it was released. */
import * as core from './001-core.js';
import * as domainChecks from './002-domain-checks.js';
import * as aliases from './003-aliases.js';
import * as queue from './004-queue.js';
import * as relayNetworks from './005-relay-networks.js';
import * as aliasIndex from './006-alias-index.js';
import * as fetchQueries from './007-fetch-queries.js';
import * as aliasImports from './008-alias-imports.js';
import * as recipients from './009-recipients.js';
import * as exceptions from './010-exceptions.js';
import * as bulk from './011-bulk.js';
import * as quarantine from './012-quarantine.js';
import * as guide from './013-guide.js';
import * as aliasRefs from './014-alias-refs.js';
import * as aliasDoubt from './015-alias-doubt.js';

export const migrations = [
  { name: '001-core', up: core.up },
  { name: '002-domain-checks', up: domainChecks.up },
  { name: '003-aliases', up: aliases.up },
  { name: '004-queue', up: queue.up },
  { name: '005-relay-networks', up: relayNetworks.up },
  { name: '006-alias-index', up: aliasIndex.up },
  { name: '007-fetch-queries', up: fetchQueries.up },
  { name: '008-alias-imports', up: aliasImports.up },
  { name: '009-recipients', up: recipients.up },
  { name: '010-exceptions', up: exceptions.up },
  { name: '011-bulk', up: bulk.up },
  { name: '012-quarantine', up: quarantine.up },
  { name: '013-guide', up: guide.up },
  { name: '014-alias-refs', up: aliasRefs.up },
  { name: '015-alias-doubt', up: aliasDoubt.up },
];
