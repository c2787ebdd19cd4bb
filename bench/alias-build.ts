/**
 * The whole table of aliases built from the rows in the database, without the pages: `alias-table.ts` says what is
 * measured. `node dist/bench/alias-build.js [--server] [sizes]`, as root; sizes default to 100 100000 300000.
 */
import { loadavg } from 'node:os';
import { buildingInWords, measureBuilding } from './alias-table.js';

const DEFAULT_SIZES = [100, 100_000, 300_000];

const given = process.argv.slice(2);
const sizes = given.filter((word) => word !== '--server').map(Number);
const server = given.includes('--server');
for (const size of sizes.length > 0 ? sizes : DEFAULT_SIZES) {
  for (const foretold of [true, false]) {
    const building = await measureBuilding(size, { server, foretold });
    const how = foretold ? 'saved from an open page' : 'saved by nobody with a page open';
    console.log(`\n${size.toLocaleString('en')} aliases, ${how}, load ${loadavg()[0]?.toFixed(1)}`);
    for (const line of buildingInWords(building)) console.log(`  ${line}`);
  }
}
