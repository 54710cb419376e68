/** Where things stand inside a job container. The host side mounts them, the job side opens them. */
export const JOB_UID = 10_001;
export const SECRETS_DIR = '/run/secrets';
/** The folder of the egress socket: the only bind of a job container, read-only. */
export const EGRESS_DIR = '/run/egress';
export const EGRESS_SOCKET_NAME = 'egress.sock';
export const EGRESS_SOCKET = `${EGRESS_DIR}/${EGRESS_SOCKET_NAME}`;
