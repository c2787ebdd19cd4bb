/** From nothing to working mail in a real browser; see `steps.ts`. */
import { describe } from 'node:test';
import { handInBrowser } from '../support/hand.js';
import { walk } from './steps.js';

describe('one walk in a real browser', () => walk(handInBrowser));
