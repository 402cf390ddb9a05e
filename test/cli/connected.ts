/** A person's terminal with a server to talk to: both authorities, the files in the home folder, the options on the line. */
import { writeFileSync } from 'node:fs';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import { makeAuthority } from './authority.ts';
import { startServer, type TestServer } from './server.ts';
import { openSession, type Result, type Session } from './session.ts';

export interface Connected {
  readonly session: Session;
  readonly server: TestServer;
  /** With the runbook's options behind it. */
  readonly everleaf: (line: string) => Promise<Result>;
  readonly close: () => Promise<void>;
}

export const openConnected = async (): Promise<Connected> => {
  const [serverCa, clientCa] = await Promise.all([makeAuthority('CN=Server CA'), makeAuthority('CN=Client CA')]);
  const server = await startServer(serverCa, clientCa);
  const session = openSession();
  const key = makeKey();
  writeFileSync(session.file('ca-cert.pem'), serverCa.pem);
  writeFileSync(session.file('admin-cert.pem'), (await clientCa.issue(key, 'CN=admin-bootstrap')).pem);
  writeFileSync(session.file('admin-key.pem'), writeKey(key));
  const options = `--server=${server.url} --cacert=~/ca-cert.pem --client-cert=~/admin-cert.pem --client-key=~/admin-key.pem`;
  return {
    session,
    server,
    everleaf: (line) => session.everleaf(`${line} ${options}`),
    close: async () => {
      await server.close();
      session.close();
    },
  };
};
