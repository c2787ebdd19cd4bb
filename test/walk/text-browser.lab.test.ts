/** From nothing to working mail in a text browser; see `steps.ts`. */
import { describe } from 'node:test';
import { handInTextBrowser } from '../support/hand.js';
import { walk } from './steps.js';

describe('one walk in a text browser', () => walk(handInTextBrowser));
