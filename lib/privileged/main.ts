/** The privileged helper as a program: see `serve.ts`. An installed release has `bundled.ts` in this place. */
import { serve } from './serve.js';

await serve();
