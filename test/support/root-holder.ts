/** Keeps a private root's mount namespace for as long as its stdin is open. Started by `postfix-root.ts`. */
import { enterLab } from '../../lib/lab/namespace.js';
import { placesBelow } from '../../lib/launch/places.js';

enterLab(placesBelow(process.argv[2] ?? ''));
process.stdout.write('ready\n');
process.stdin.on('close', () => process.exit(0));
process.stdin.resume();
