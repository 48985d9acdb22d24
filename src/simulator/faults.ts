import { invalid, ROUTES } from './call.js';
import { type Json, number, text } from './json.js';

/** What an injected fault does to the requests it fits; see control.ts for the fields. */
interface Fault {
  given: Json;
  /** How many requests it has hit. */
  hits: number;
}

/** Faults of requests, in the order in which they were injected; the first that fits a request is taken. */
export class Faults {
  private faults: Fault[] = [];

  add(given: Json): void {
    const isKnown = given.route === '*' || ROUTES.some((route) => route === given.route);
    if (!isKnown) throw invalid(`route is * or one of ${ROUTES.join(', ')}`);
    this.faults.push({ given, hits: 0 });
  }

  /** @param documents how many documents the request asks for */
  take(request: { route: string; email: string | null; nowMs: number; documents: number }): Json | undefined {
    const fault = this.faults.find(({ given, hits }) => {
      const isOpen = hits < (number(given.times) ?? Number.POSITIVE_INFINITY);
      const isRoute = given.route === '*' || given.route === request.route;
      const isAccount = given.account === undefined || given.account === request.email;
      const isBefore = request.nowMs < Date.parse(text(given.from) ?? '');
      const isAfter = request.nowMs >= Date.parse(text(given.until) ?? '');
      const isLarge = request.documents > (number(given.above_documents) ?? -1);
      return isOpen && isRoute && isAccount && !isBefore && !isAfter && isLarge;
    });
    if (fault) fault.hits += 1;
    return fault?.given;
  }

  list(): Json[] {
    return this.faults.map(({ given, hits }) => ({ ...given, hits }));
  }

  clear(): void {
    this.faults = [];
  }
}
