/**
 * From "paid" (the webhook was answered) to the first line of job code after it (`accepted`, as recorded once it was
 * read), with and without a standby, against `docker run --rm` of the same image. The three take turns, so that a slow
 * minute of the machine is shared by all. A job without a standby is one of a profile that standbys are not made for.
 */
import { dispatch, type Dispatched } from './dispatched-job.ts';
import { runNothing, runToFirstLine } from './docker-run.ts';
import { rounded, spreadOf, type Spread } from './statistics.ts';
import { until } from './until.ts';
import { addCourse, jobImageId, metricsOf, say, startWorld, type World } from './world.ts';

const STANDBY = 2;
const WARM_UP_ROUNDS = 2;
const QUIET_LIMIT_MS = 60_000;

/** Nothing open, nothing followed, all standbys there. */
const quiet = (world: World): Promise<true> =>
  until('the system is quiet', QUIET_LIMIT_MS, async () => {
    const { rows } = await world.pool.query<{ open: number }>(
      `SELECT count(*) AS open FROM jobs WHERE state NOT IN ('completed', 'dead')`,
    );
    const metrics = await metricsOf(world, 'orchestrator-1');
    return rows[0]?.open === 0 &&
      metrics.get('containers_followed') === 0 &&
      metrics.get('standby_containers') === STANDBY
      ? true
      : undefined;
  });

const column = (all: readonly Dispatched[], name: keyof Dispatched): number[] => all.map((one) => one[name]);
const spreads = (all: readonly Dispatched[]): Record<keyof Dispatched, Spread> => ({
  paidToRunningMs: spreadOf(column(all, 'paidToRunningMs')),
  sentToRunningMs: spreadOf(column(all, 'sentToRunningMs')),
  paidToBegunMs: spreadOf(column(all, 'paidToBegunMs')),
  begunToRunningMs: spreadOf(column(all, 'begunToRunningMs')),
});

export async function benchDispatch(options: { jobs: number; dockerHost: string }) {
  const image = jobImageId();
  const profiles = { cold: {} };
  const world = await startWorld({
    jobImage: image,
    dockerHost: options.dockerHost,
    profiles,
    env: { orchestrator: { STANDBY: String(STANDBY) } },
  });
  const dockerRun: number[] = [];
  const firstLine: number[] = [];
  const standby: Dispatched[] = [];
  const cold: Dispatched[] = [];
  try {
    await addCourse(world, { id: 'warm', of: 'tiny' });
    await addCourse(world, { id: 'cold', of: 'tiny', profile: 'cold' });
    for (let round = -WARM_UP_ROUNDS; round < options.jobs; round += 1) {
      await quiet(world);
      const whole = await runNothing(options.dockerHost, image);
      await quiet(world);
      const toFirstLine = await runToFirstLine(options.dockerHost, image);
      await quiet(world);
      const warmJob = await dispatch(world, 'warm', `standby${round}@shop.example`);
      await quiet(world);
      const coldJob = await dispatch(world, 'cold', `cold${round}@shop.example`);
      say(
        `${round < 0 ? 'warm-up' : `round ${round + 1} of ${options.jobs}`}: docker run ${whole.toFixed(0)} ms (first line of the job ${toFirstLine.toFixed(0)}), standby ${warmJob.paidToRunningMs} ms, cold ${coldJob.paidToRunningMs} ms`,
      );
      if (round < 0) continue;
      dockerRun.push(rounded(whole));
      firstLine.push(rounded(toFirstLine));
      standby.push(warmJob);
      cold.push(coldJob);
    }
  } finally {
    await world.stop();
  }
  const of = {
    dockerRun: spreadOf(dockerRun),
    firstLine: spreadOf(firstLine),
    standby: spreads(standby),
    cold: spreads(cold),
  };
  return {
    docker_run_ms_p50: of.dockerRun.p50,
    cold_ms_p50: of.cold.paidToRunningMs.p50,
    standby_ms_p50: of.standby.paidToRunningMs.p50,
    standby_ratio: rounded(of.standby.paidToRunningMs.p50 / of.dockerRun.p50, 3),
    cold_ratio: rounded(of.cold.paidToRunningMs.p50 / of.dockerRun.p50, 3),
    docker_run_first_line_ms_p50: of.firstLine.p50,
    standby_to_first_line_ratio: rounded(of.standby.paidToRunningMs.p50 / of.firstLine.p50, 3),
    cold_to_first_line_ratio: rounded(of.cold.paidToRunningMs.p50 / of.firstLine.p50, 3),
    jobs: options.jobs,
    warm_up_rounds: WARM_UP_ROUNDS,
    standby_size: STANDBY,
    spread: { docker_run_ms: of.dockerRun, docker_run_first_line_ms: of.firstLine, standby: of.standby, cold: of.cold },
    raw: { docker_run_ms: dockerRun, docker_run_first_line_ms: firstLine, standby, cold },
  };
}
