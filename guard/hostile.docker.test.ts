/** What an orchestrator that has fallen into wrong hands gets of the host through the guard: nothing. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { listenOnSocket } from '../net/listen-on-socket.ts';
import { containerSpec, type ContainerUse } from '../orchestrator/container-spec.ts';
import { makeDockerEngine } from '../orchestrator/engine/docker.ts';
import { makeProfiles } from '../orchestrator/profiles.ts';
import { selfTest } from '../orchestrator/self-test.ts';
import { readConfig } from './config.ts';
import { makeGuard } from './guard.ts';
import { makeMetrics, type Metrics } from './metrics.ts';

const DOCKER_HOST = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
const INSTALLATION = `guard-${randomUUID().slice(0, 8)}`;
const IMAGE = process.env['LADING_TEST_JOB_IMAGE'] ?? '';
const API = '/v1.41';
const profiles = makeProfiles({});
const logged: Record<string, unknown>[] = [];
let dir: string;
let egressDir: string;
let socketPath: string;
let guard: Server;
let metrics: Metrics;
let foreign: string;
const docker = (...args: string[]): string =>
  execFileSync('docker', args, { encoding: 'utf8', env: { ...process.env, DOCKER_HOST } }).trim();
/** Whatever could have been made here: other tests make theirs meanwhile. */
const everything = (): string[] =>
  docker('ps', '--all', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.Label "vn.lading.installation"}}')
    .split('\n')
    .filter((line) => [INSTALLATION, 'another', 'evil'].some((mark) => line.includes(mark)))
    .toSorted();
const ours = (): string[] =>
  docker('ps', '-aq', '--no-trunc', '--filter', `label=vn.lading.installation=${INSTALLATION}`)
    .split('\n')
    .filter(Boolean);

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'lading-guard-'));
  egressDir = join(dir, 'egress');
  mkdirSync(egressDir);
  socketPath = join(dir, 'guard.sock');
  metrics = makeMetrics();
  const config = readConfig({
    GUARD_SOCKET: socketPath,
    DOCKER_HOST,
    INSTALLATION,
    ENGINE_NAME: 'local',
    JOB_IMAGE: IMAGE,
    EGRESS_DIR: egressDir,
  });
  const log = pino(
    { level: 'debug' },
    { write: (line: string) => void logged.push(JSON.parse(line) as object as never) },
  );
  guard = await makeGuard(config, { log, metrics });
  await listenOnSocket(guard, { folder: dir, path: socketPath, openTo: 'group' });
  // Somebody else's, on the same engine.
  foreign = docker('create', '--network', 'none', '--label', 'vn.lading.installation=another', IMAGE);
});
afterAll(() => {
  guard.closeAllConnections();
  guard.close();
  for (const id of [foreign, ...ours()]) docker('rm', '--force', '--volumes', id);
  rmSync(dir, { recursive: true });
});

type Answer = { status: number; text: string };
/** One request as its bytes, and the answer until the connection ends or has been whole. */
function raw(bytes: string): Promise<Answer> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ path: socketPath, allowHalfOpen: true }).on('error', () => undefined);
    const done = (): void => {
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text });
    };
    socket.setEncoding('latin1').on('data', (piece: string) => {
      text += piece;
      // All refusals close the connection.
      if (!/connection: close/i.test(text) && text.includes('\r\n\r\n')) done();
    });
    socket.on('end', done).on('close', done);
    socket.write(bytes);
  });
}
const ask = (method: string, target: string, body?: unknown, headers = ''): Promise<Answer> => {
  const text = body === undefined ? '' : JSON.stringify(body);
  const length =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  return raw(`${method} ${target} HTTP/1.1\r\nHost: docker\r\n${length}${headers}\r\n${text}`);
};

const attempt = () => ({ jobId: randomUUID(), attemptId: randomUUID(), attemptNumber: 1 });
const specOf = (use: ContainerUse = attempt()) => {
  const limits = profiles.get('standard');
  if (!limits) throw new Error('no profile');
  return containerSpec({
    installation: INSTALLATION,
    engine: 'local',
    use,
    profile: 'standard',
    limits,
    image: IMAGE,
    egressDir,
  });
};
type Json = Record<string, unknown>;
const create = (change: (body: Json & { HostConfig: Json; Labels: Json }) => void, name?: string): Promise<Answer> => {
  const spec = specOf();
  const body = JSON.parse(JSON.stringify(spec.body)) as Json & { HostConfig: Json; Labels: Json };
  change(body);
  return ask('POST', `${API}/containers/create?name=${name ?? spec.name}`, body);
};

describe('what orchestrators do goes through', () => {
  test('every profile can be made, looked into, and removed', async () => {
    const engine = makeDockerEngine(`unix://${socketPath}`);
    await engine.ping();
    expect(await engine.imageId(IMAGE)).toBe(IMAGE);
    expect((await engine.host()).memoryBytes).toBeGreaterThan(0);
    await selfTest(engine, { installation: INSTALLATION, engine: 'local', image: IMAGE, egressDir, profiles });
    expect(await engine.list({ 'vn.lading.installation': INSTALLATION })).toEqual([]);
  });

  test('a container lives its whole life, with its streams', async () => {
    const engine = makeDockerEngine(`unix://${socketPath}`);
    await engine.ping();
    const spec = specOf();
    const id = await engine.create(spec);
    const stdio = await engine.attach(id);
    let output = '';
    stdio.on('data', (piece: Buffer) => (output += piece.toString('latin1')));
    await engine.start(id);
    // Its input ends, and it says what it thinks of that.
    stdio.end();
    await engine.wait(id, AbortSignal.timeout(30_000));
    expect(await engine.inspect(id)).toMatchObject({ status: 'exited' });
    const lines: string[] = [];
    for await (const batch of engine.logs(id, {}, AbortSignal.timeout(10_000))) lines.push(JSON.stringify(batch));
    expect(lines.join('').length).toBeGreaterThan(0);
    expect(output.length).toBeGreaterThan(0);
    await engine.rename(id, `lading-${INSTALLATION}-renamed`);
    await engine.stop(id, 1);
    await engine.remove(`lading-${INSTALLATION}-renamed`);
    expect(await engine.inspect(id)).toBeUndefined();
  });

  test('a container that waits for its attempt is made in the name of an orchestrator, and takes the name of the attempt', async () => {
    const engine = makeDockerEngine(`unix://${socketPath}`);
    await engine.ping();
    const id = await engine.create(specOf({ standbyOf: 'local/0123456789ab', id: randomUUID() }));
    await engine.rename(id, specOf().name);
    expect(await engine.list({ 'vn.lading.installation': INSTALLATION })).toMatchObject([{ id }]);
    await engine.remove(id);
  });

  test('of the host only what is needed is shown', async () => {
    const { text } = await ask('GET', `${API}/info`);
    const shown = JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)) as Json;
    expect(Object.keys(shown).toSorted()).toEqual(
      ['CgroupVersion', 'MemTotal', 'NCPU', 'OperatingSystem', 'ServerVersion', 'SystemTime'].toSorted(),
    );
  });
});

describe('a container that a profile does not make is not made', () => {
  test.each<[string, Parameters<typeof create>[0]]>([
    ['privileged', (body) => (body.HostConfig['Privileged'] = true)],
    ['a capability', (body) => (body.HostConfig['CapAdd'] = ['SYS_ADMIN'])],
    ['capabilities not dropped', (body) => (body.HostConfig['CapDrop'] = [])],
    ['the root of the host', (body) => (body.HostConfig['Binds'] = ['/:/host'])],
    ['the socket of the engine', (body) => (body.HostConfig['Binds'] = ['/var/run/docker.sock:/s'])],
    ['another mount', (body) => (body.HostConfig['Mounts'] = [{ Type: 'bind', Source: '/', Target: '/h' }])],
    [
      'one more mount',
      (body) => void (body.HostConfig['Mounts'] as Json[]).push({ Type: 'bind', Source: '/', Target: '/h' }),
    ],
    [
      'the mount writable',
      (body) =>
        void ((body.HostConfig['Mounts'] as Json[])[0] = {
          ...(body.HostConfig['Mounts'] as Json[])[0],
          ReadOnly: false,
        }),
    ],
    ['a volume', (body) => (body['Volumes'] = { '/x': {} })],
    ['volumes of another', (body) => (body.HostConfig['VolumesFrom'] = [foreign])],
    ['the network of the host', (body) => (body.HostConfig['NetworkMode'] = 'host')],
    ['the network of another', (body) => (body.HostConfig['NetworkMode'] = `container:${foreign}`)],
    ['a network', (body) => (body['NetworkingConfig'] = { EndpointsConfig: { bridge: {} } })],
    ['published ports', (body) => (body.HostConfig['PortBindings'] = { '80/tcp': [{ HostPort: '80' }] })],
    ['processes of the host', (body) => (body.HostConfig['PidMode'] = 'host')],
    ['memory of the host', (body) => (body.HostConfig['IpcMode'] = 'host')],
    ['users of the host', (body) => (body.HostConfig['UsernsMode'] = 'host')],
    ['names of the host', (body) => (body.HostConfig['UTSMode'] = 'host')],
    ['groups of the host', (body) => (body.HostConfig['CgroupnsMode'] = 'host')],
    ['a parent of groups', (body) => (body.HostConfig['CgroupParent'] = '/')],
    [
      'a device',
      (body) =>
        (body.HostConfig['Devices'] = [
          { PathOnHost: '/dev/sda', PathInContainer: '/dev/sda', CgroupPermissions: 'rwm' },
        ]),
    ],
    ['rules for devices', (body) => (body.HostConfig['DeviceCgroupRules'] = ['a *:* rwm'])],
    ['a device driver', (body) => (body.HostConfig['DeviceRequests'] = [{ Count: -1, Capabilities: [['gpu']] }])],
    ['no seccomp', (body) => (body.HostConfig['SecurityOpt'] = ['seccomp=unconfined'])],
    ['privileges gained', (body) => (body.HostConfig['SecurityOpt'] = [])],
    ['kernel settings', (body) => (body.HostConfig['Sysctls'] = { 'kernel.core_pattern': '|/x' })],
    ['a runtime', (body) => (body.HostConfig['Runtime'] = 'other')],
    ['unmasked paths', (body) => (body.HostConfig['MaskedPaths'] = [])],
    ['a writable root', (body) => (body.HostConfig['ReadonlyRootfs'] = false)],
    ['more memory', (body) => (body.HostConfig['Memory'] = 0)],
    ['more processes', (body) => (body.HostConfig['PidsLimit'] = -1)],
    [
      'another log driver',
      (body) => (body.HostConfig['LogConfig'] = { Type: 'syslog', Config: { 'syslog-address': 'tcp://198.51.100.7' } }),
    ],
    ['restarts', (body) => (body.HostConfig['RestartPolicy'] = { Name: 'always' })],
    ['root', (body) => (body['User'] = '0:0')],
    ['another image', (body) => (body['Image'] = 'debian')],
    ['another command', (body) => (body['Cmd'] = ['sh', '-c', 'id'])],
    ['another entry point', (body) => (body['Entrypoint'] = ['/bin/sh'])],
    ['another environment', (body) => (body['Env'] = ['NODE_OPTIONS=--require /x'])],
    ['labels of another installation', (body) => (body.Labels['vn.lading.installation'] = 'another')],
    ['labels of another engine', (body) => (body.Labels['vn.lading.engine'] = 'other')],
    ['an unknown profile', (body) => (body.Labels['vn.lading.profile'] = 'root')],
    ['one more label', (body) => (body.Labels['com.example'] = 'x')],
    ['a field in other letters', (body) => (body.HostConfig['privileged'] = true)],
    [
      'nothing',
      (body) => {
        for (const key of Object.keys(body)) delete body[key];
      },
    ],
  ])('%s', async (_, change) => {
    const before = everything();
    const { status, text } = await create(change);
    expect([status, text]).toEqual([403, expect.stringContaining('refused by the guard')]);
    expect(everything()).toEqual(before);
  });

  test.each(['lading-another-1', 'x', 'lading', `lading-${INSTALLATION}-other`])('under the name %s', async (name) => {
    expect((await create(() => undefined, name)).status).toBe(403);
  });
});

describe('nothing else of the engine is reached', () => {
  const ID = 'a'.repeat(64);
  test.each([
    ['POST', `${API}/containers/FOREIGN/start`],
    ['GET', `${API}/containers/FOREIGN/json`],
    ['GET', `${API}/containers/FOREIGN/logs?stdout=1`],
    ['POST', `${API}/containers/FOREIGN/stop?t=0`],
    ['DELETE', `${API}/containers/FOREIGN?force=1&v=1`],
    ['POST', `${API}/containers/FOREIGN/wait`],
    ['POST', `${API}/containers/FOREIGN/rename?name=lading-${INSTALLATION}-mine`],
    ['GET', `${API}/containers/FOREIGN/stats?stream=0`],
    ['GET', `${API}/events?until=1&filters=${encodeURIComponent('{"container":["FOREIGN"],"event":["oom"]}')}`],
    ['GET', `${API}/events`],
    ['GET', `${API}/events?until=1&filters=${encodeURIComponent('{"event":["oom"]}')}`],
    ['GET', `${API}/containers/json`],
    ['GET', `${API}/containers/json?all=1`],
    [
      'GET',
      `${API}/containers/json?all=1&filters=${encodeURIComponent('{"label":["vn.lading.installation=another"]}')}`,
    ],
    ['GET', `${API}/containers/json?filters=${encodeURIComponent('{"name":["x"]}')}`],
    ['POST', `${API}/containers/${ID}/exec`],
    ['POST', `${API}/exec/${ID}/start`],
    ['GET', `${API}/containers/${ID}/archive?path=/`],
    ['PUT', `${API}/containers/${ID}/archive?path=/`],
    ['GET', `${API}/containers/${ID}/export`],
    ['POST', `${API}/containers/${ID}/update`],
    ['POST', `${API}/containers/${ID}/kill`],
    ['POST', `${API}/containers/${ID}/pause`],
    ['GET', `${API}/containers/${ID}/top`],
    ['POST', `${API}/commit?container=${ID}`],
    ['POST', `${API}/containers/prune`],
    ['POST', `${API}/build`],
    ['POST', `${API}/images/load`],
    ['POST', `${API}/images/create?fromImage=debian`],
    ['GET', `${API}/images/json`],
    ['GET', `${API}/images/debian/json`],
    ['GET', `${API}/images/sha256:${ID}/json`],
    ['DELETE', `${API}/images/${ID}`],
    ['GET', `${API}/networks`],
    ['POST', `${API}/networks/create`],
    ['GET', `${API}/volumes`],
    ['POST', `${API}/volumes/create`],
    ['POST', `${API}/plugins/pull`],
    ['POST', `${API}/swarm/init`],
    ['POST', `${API}/services/create`],
    ['POST', `${API}/session`],
    ['POST', '/grpc'],
    ['GET', `${API}/system/df`],
    ['POST', `${API}/auth`],
    ['GET', '/'],
    ['GET', '/info'],
    ['GET', '/v1.23/info'],
    ['GET', '/v1.24/containers/json'],
    ['POST', '/v1.12/containers/create?name=x'],
    ['GET', '/v1.410/info'],
    ['GET', '/v9.41/info'],
    ['GET', '/V1.41/info'],
    ['GET', `${API}/info/`],
    ['GET', `${API}//info`],
    ['GET', `${API}/./info`],
    ['GET', `${API}/../v1.41/info`],
    ['GET', `${API}/%69nfo`],
    ['GET', `${API}/info%00`],
    ['GET', `${API}/info;x`],
    ['GET', `${API}/info#x`],
    ['GET', `${API}/info?x=1`],
    ['GET', `${API}/containers/${ID}/../json?all=1`],
    ['GET', `${API}/containers/${ID.slice(0, 12)}/json`],
    ['GET', `${API}/containers/${ID}/json?size=1`],
    ['POST', `${API}/containers/${ID}/stop?t=0&t=1`],
    ['POST', `${API}/containers/${ID}/stop?signal=SIGUSR1`],
    ['GET', `http://other${API}/containers/json`],
    ['GET', `${API}/info?${'x'.repeat(5_000)}`],
    ['HEAD', `${API}/info`],
    ['OPTIONS', '*'],
    ['CONNECT', 'docker:80'],
    ['TRACE', `${API}/info`],
  ])('%s %s', async (method, target) => {
    const before = everything();
    const { status, text } = await ask(method, target.replace('FOREIGN', foreign));
    expect([0, 400, 403, 405, 431]).toContain(status);
    expect(text).not.toContain('"Id"');
    expect(everything()).toEqual(before);
    expect(docker('inspect', '--format', '{{.State.Status}}', foreign)).toBe('created');
  });

  test('a body where there is none, and one that is too large', async () => {
    const engine = makeDockerEngine(`unix://${socketPath}`);
    await engine.ping();
    const id = await engine.create(specOf());
    const hostile = { HostConfig: { Privileged: true } };
    for (const path of ['start', 'wait', `stop?t=1`, `rename?name=lading-${INSTALLATION}-x`])
      expect((await ask('POST', `${API}/containers/${id}/${path}`, hostile)).status).toBe(403);
    expect((await ask('POST', `${API}/containers/${id}/stop?t=1`, { t: 2 })).status).toBe(403);
    expect(
      (await ask('POST', `${API}/containers/create?name=lading-${INSTALLATION}-x`, { x: 'x'.repeat(70_000) })).status,
    ).toBe(403);
    expect(docker('inspect', '--format', '{{.State.Status}}', id)).toBe('created');
  });
});

describe('no request is two', () => {
  const second = `POST ${API}/containers/create?name=evil HTTP/1.1\r\nHost: docker\r\nContent-Length: 2\r\n\r\n{}`;
  test.each([
    [
      'two lengths',
      `POST ${API}/containers/x/start HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\nContent-Length: ${second.length}\r\n\r\n${second}`,
    ],
    [
      'length and chunks',
      `POST ${API}/containers/x/start HTTP/1.1\r\nHost: d\r\nContent-Length: ${second.length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${second}`,
    ],
    [
      'chunks in other words',
      `POST ${API}/containers/x/start HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${second}`,
    ],
    ['a line feed alone', `GET ${API}/info HTTP/1.1\nHost: d\n\n${second}`],
    ['a header that is folded', `GET ${API}/info HTTP/1.1\r\nHost: d\r\nX: a\r\n b\r\n\r\n`],
    ['a line in the target', `GET ${API}/info\r\nX: y HTTP/1.1\r\nHost: d\r\n\r\n`],
    ['another protocol', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n`],
    ['an older protocol', `GET ${API}/containers/json\r\n\r\n`],
  ])('%s', async (_, bytes) => {
    const before = everything();
    const { status } = await raw(bytes);
    expect([0, 400, 403, 404, 200]).toContain(status);
    expect(everything()).toEqual(before);
  });

  test('one behind another is judged like the first', async () => {
    const before = everything();
    await raw(`GET ${API}/info HTTP/1.1\r\nHost: d\r\n\r\n${second}`);
    expect(everything()).toEqual(before);
  });

  const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
  test('a stream is opened to a container of ours by attach, and by nothing else', async () => {
    const engine = makeDockerEngine(`unix://${socketPath}`);
    await engine.ping();
    const id = await engine.create(specOf());
    const attach = (target: string): string => `${API}/containers/${target}/attach?stream=1&stdin=1&stdout=1`;
    expect((await ask('POST', attach(foreign), undefined, UPGRADE)).status).toBe(403);
    expect((await ask('POST', `${API}/containers/${id}/start`, undefined, UPGRADE)).status).toBe(403);
    expect((await ask('GET', `${API}/info`, undefined, UPGRADE)).status).toBe(403);
    expect((await ask('POST', `${API}/session`, undefined, 'Connection: Upgrade\r\nUpgrade: h2c\r\n')).status).toBe(
      403,
    );
    expect((await ask('POST', attach(id))).status).toBe(403);
    expect((await ask('POST', attach('a'.repeat(64)), undefined, UPGRADE)).status).toBe(404);
    expect((await ask('POST', `${API}/containers/${id}/attach?logs=1&stream=1`, undefined, UPGRADE)).status).toBe(403);
  });

  test('what follows an attach reaches the container, or nobody', async () => {
    const before = everything();
    const head = (id: string): string =>
      `POST ${API}/containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\n${UPGRADE}Content-Length: 0\r\n\r\n`;
    await raw(head('a'.repeat(64)) + second);
    await raw(head(foreign) + second);
    expect(everything()).toEqual(before);
  });
});

test('every refusal is counted and logged with what was asked, and never with what was sent', async () => {
  logged.length = 0;
  const count = async (): Promise<number> =>
    (await metrics.registry.getSingleMetric('guard_refusals_total')?.get())?.values.find(
      ({ labels }) => labels['reason'] === 'create_body',
    )?.value ?? 0;
  const before = await count();
  await create((body) => (body['Cmd'] = ['a secret']));
  expect((await count()) - before).toBe(1);
  expect(logged).toMatchObject([{ msg: 'refused', reason: 'create_body', method: 'POST' }]);
  expect(JSON.stringify(logged)).not.toContain('a secret');
});

test('who sends slowly, or reads nothing, holds up nobody else', async () => {
  const slow = Array.from({ length: 50 }, () => {
    const socket = connect(socketPath).on('error', () => undefined);
    socket.write(
      `POST ${API}/containers/create?name=lading-${INSTALLATION}-x HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\n`,
    );
    return socket;
  });
  expect((await ask('GET', '/version')).status).toBe(200);
  for (const socket of slow) socket.destroy();
});

test('an engine that does not answer is told as such', async () => {
  const config = readConfig({
    GUARD_SOCKET: join(dir, 'other.sock'),
    DOCKER_HOST: `unix://${join(dir, 'nobody.sock')}`,
    INSTALLATION,
    ENGINE_NAME: 'local',
    JOB_IMAGE: IMAGE,
    EGRESS_DIR: egressDir,
  });
  await expect(makeGuard(config, { log: pino({ level: 'silent' }), metrics })).rejects.toThrow(/does not answer/);
});
