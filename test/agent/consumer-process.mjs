/** A TLS server as one finds them on nodes: loads key and chain when it starts, and again on SIGHUP; keeps what it has when that fails. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer } from 'node:tls';

const [folder, pidFile] = process.argv.slice(2);
const load = () => ({
  key: readFileSync(join(folder, 'current', 'key.pem')),
  cert: readFileSync(join(folder, 'current', 'fullchain.pem')),
});
const server = createServer(load(), (socket) => socket.on('error', () => undefined).end('hello'));
server.on('tlsClientError', () => undefined);
process.on('SIGHUP', () => {
  try {
    server.setSecureContext(load());
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
  }
});
server.listen(Number(process.argv[4] ?? 0), '127.0.0.1', () => {
  writeFileSync(pidFile, `${process.pid}\n`);
  process.stdout.write(`${server.address().port}\n`);
});
