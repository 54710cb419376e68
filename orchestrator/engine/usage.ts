import { z } from 'zod';
import type { Usage } from './engine.ts';

const stats = z.object({
  read: z.string(),
  cpu_stats: z.object({ cpu_usage: z.object({ total_usage: z.number() }) }),
  memory_stats: z.object({
    usage: z.number().optional(),
    // Of the whole group with version 1 of control groups, under another name with version 2.
    stats: z.object({ total_inactive_file: z.number().optional(), inactive_file: z.number().optional() }).optional(),
  }),
});

/** The daemon's answer to one question for its stats. Undefined where nothing runs: then it answers with nothing in it. */
export function usageOf(answer: unknown): Usage | undefined {
  const { read, cpu_stats, memory_stats } = stats.parse(answer);
  const atMs = Date.parse(read);
  if (memory_stats.usage === undefined || !(atMs > 0)) return undefined;
  const cache = memory_stats.stats?.total_inactive_file ?? memory_stats.stats?.inactive_file ?? 0;
  return {
    memoryBytes: Math.max(0, memory_stats.usage - cache),
    cpuNanos: cpu_stats.cpu_usage.total_usage,
    atMs,
  };
}
