import { COOKS } from './cooks.js';
import { ODD } from './odd.js';
import { QUIET } from './quiet.js';
import type { Scenario } from './scenario.js';

export const SCENARIOS: readonly Scenario[] = [...COOKS, ...ODD, ...QUIET];
