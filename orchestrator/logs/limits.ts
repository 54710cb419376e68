/** What an attempt may say; beyond it lines are counted and not kept. In bytes as the daemon writes them, or as we do. */
export const ATTEMPT_LOG_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The daemon's log file of a container, of which it keeps two. The first one holds all that is ever kept: a follower
 * reads a file to its end even after the daemon has rotated it away, so one that falls behind a flood misses only what
 * would have been cut.
 */
export const DAEMON_LOG_FILE_MIB = 72;
export const DAEMON_LOG_FILES = 2;

/** A line that is longer by a look-ahead is stored in parts of this size. */
export const LINE_MAX_BYTES = 256 * 1024;
