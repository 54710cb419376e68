/** Which version of the Docker Engine API to speak: https://docs.docker.com/reference/api/engine/#versioned-api-and-sdk */

/** The oldest that has all we ask for, and the newest whose answers we know. */
export const API_VERSION_MIN = '1.41';
export const API_VERSION_MAX = '1.51';

type Version = readonly [major: number, minor: number];

function parse(text: string): Version | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})$/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}
const older = (a: Version, b: Version): boolean => a[0] < b[0] || (a[0] === b[0] && a[1] < b[1]);

/** The newest version that the daemon (`ApiVersion` and `MinAPIVersion` of its /version) and we both speak; else why there is none. */
export function chooseApiVersion(daemon: {
  ApiVersion: string;
  MinAPIVersion?: string | undefined;
}): { version: string } | { problem: string } {
  const newest = parse(daemon.ApiVersion);
  const oldest = parse(daemon.MinAPIVersion ?? daemon.ApiVersion);
  const [least, most] = [parse(API_VERSION_MIN), parse(API_VERSION_MAX)];
  if (!newest || !oldest || !least || !most)
    return { problem: `the daemon names API ${daemon.ApiVersion}, which is none` };
  if (older(newest, least))
    return {
      problem: `the daemon speaks API ${daemon.ApiVersion} at most, and ${API_VERSION_MIN} is the least we need`,
    };
  if (older(most, oldest))
    return {
      problem: `the daemon speaks API ${daemon.MinAPIVersion} at least, and ${API_VERSION_MAX} is the newest we know`,
    };
  return { version: older(newest, most) ? daemon.ApiVersion : API_VERSION_MAX };
}
