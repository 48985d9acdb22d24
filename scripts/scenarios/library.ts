import { COOKS } from './cooks.js';
import { ODD, QUIET } from './odd.js';
import type { Scenario } from './scenario.js';

export const SCENARIOS: readonly Scenario[] = [...COOKS, ...ODD, ...QUIET];
