/** What operators and auditors look at. */
import type { Router } from '@koa/router';
import type { State } from '../../context.ts';
import { addAudit } from './audit-page.ts';
import { addCourses } from './courses-page.ts';
import { addDeadLetters } from './dead-letters-page.ts';
import { addEngines } from './engines-page.ts';
import { addEvents } from './events.ts';
import { makeGate, type ConsoleDeps } from './gate.ts';
import { addJob } from './job-page.ts';
import { addJobs } from './jobs-page.ts';
import { addLogIn } from './login.ts';
import { addLogs } from './log-page.ts';
import { addOrders } from './orders-page.ts';
import { addOverview } from './overview-page.ts';
import { addPayments } from './payments-page.ts';

export function addConsole(router: Router<State>, deps: ConsoleDeps): void {
  const gate = makeGate(router, deps);
  addLogIn(router, gate, deps);
  addEvents(gate, deps);
  for (const add of [
    addOverview,
    addJobs,
    addJob,
    addLogs,
    addOrders,
    addDeadLetters,
    addPayments,
    addCourses,
    addEngines,
    addAudit,
  ])
    add(gate);
}
