/** An orchestrator is killed while the engine acts for it: what was asked for is done, and the word of it never came. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LABEL } from '../../orchestrator/container-spec.ts';
import { startEngineProxy, type EngineProxy } from './engine-proxy.ts';
import { attemptsOf, docker, DOCKER_HOST, eventually, settledAttempts, startE2e, type E2e } from './world.ts';

/** The engine's answers stop once a client has sent this. */
let held: { when: string; reached: () => void } | undefined;
let proxy: EngineProxy;
let e2e: E2e;
beforeAll(async () => {
  proxy = await startEngineProxy(DOCKER_HOST, (chunk) => {
    const { when, reached } = held ?? {};
    if (when !== undefined && new RegExp(when).test(chunk.toString('latin1'))) {
      held = undefined;
      proxy.freeze();
      reached?.();
    }
    return chunk;
  });
  e2e = await startE2e({ dockerHost: proxy.dockerHost, leaseSeconds: 4, env: { orchestrator: { STANDBY: '0' } } });
  await e2e.putCourse('tiny');
}, 60_000);
afterAll(async () => {
  proxy.thaw();
  await e2e.stop();
  await proxy.stop();
}, 60_000);

/** Whatever its state. */
const containersOfAttempt = (attempt: string): string[] =>
  docker('ps', '--all', '--quiet', '--filter', `label=${LABEL.attempt}=${attempt}`)
    .split('\n')
    .filter((id) => id !== '');

test.each([
  ['4 the container is made, and its id is not known', 'POST \\S+/containers/create'],
  ['4 the container is started, and nobody has heard that it is', 'POST \\S+/containers/\\w+/start'],
  ['4 the envelope is sent, and not acknowledged', '"attemptKey"'],
])(
  'kill -9 right after: %s',
  async (_point, when) => {
    const reached = new Promise<void>((resolve) => (held = { when, reached: resolve }));
    const order = await e2e.customer.order('tiny', 'customer@shop.example');
    await e2e.customer.pay(order);
    await reached;
    const [attempt] = await attemptsOf(e2e.pool, order.code);
    expect(attempt?.state).toBe('creating');
    await eventually('the engine has done what it was asked for', 30_000, () =>
      Promise.resolve(containersOfAttempt(attempt?.id ?? '').length === 1 ? true : undefined),
    );
    e2e.system.processes.get('orchestrator-1')?.signal('SIGKILL');
    await e2e.system.processes.get('orchestrator-1')?.exited;
    proxy.thaw();
    await e2e.system.startOrchestrator('orchestrator-1');
    await e2e.customer.waitFor(order, ['completed'], 60_000);
    expect((await settledAttempts(e2e.pool, order.code)).map(({ outcome }) => outcome)).toEqual([
      'orchestrator_lost',
      'succeeded',
    ]);
    const { rows } = await e2e.pool.query(
      `SELECT j.attempts_spent, j.losses, (SELECT count(*)::int FROM files f WHERE f.job_id = j.id) AS files
       FROM jobs j JOIN orders o ON o.id = j.order_id WHERE o.code = $1`,
      [order.code],
    );
    expect(rows).toEqual([{ attempts_spent: 0, losses: 1, files: 3 }]);
    await eventually('no container of it is left', 30_000, async () => {
      const attempts = await attemptsOf(e2e.pool, order.code);
      return attempts.every(({ id }) => containersOfAttempt(id).length === 0) ? true : undefined;
    });
    const engines = await e2e.pool.query('SELECT slots_used, launching, memory_used FROM engines');
    expect(engines.rows).toEqual([{ slots_used: 0, launching: 0, memory_used: 0 }]);
  },
  120_000,
);
