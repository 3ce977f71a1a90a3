// A plain client, one connection after another: a request, and how long after the response the server closes.
const [host, port, tls, http2, times] = process.argv.slice(2).map(argument => JSON.parse(argument));
const say = object => process.stdout.write(JSON.stringify(object) + '\n');
const now = () => Number(process.hrtime.bigint()) / 1e6;

const overHttp1 = done => {
  let last;
  const request = () => socket.write('GET /ok HTTP/1.1\r\nHost: probe\r\n\r\n');
  const library = require(tls ? 'tls' : 'net');
  const socket = library.connect({ host, port, rejectUnauthorized: false }, request);
  socket.on('data', () => { last = now(); });
  socket.on('end', () => done(now() - last));
  socket.on('error', error => say({ error: String(error) }));
};

const overHttp2 = done => {
  let last;
  const name = host.includes(':') ? `[${host}]` : host;
  const session = require('http2').connect(`${tls ? 'https' : 'http'}://${name}:${port}`, { rejectUnauthorized: false });
  const stream = session.request({ ':path': '/ok' });
  stream.on('data', () => {});
  stream.on('end', () => { last = now(); });
  session.once('goaway', () => done(now() - last));
  session.on('error', error => say({ error: String(error) }));
};

const next = left => left && (http2 ? overHttp2 : overHttp1)(idle_ms => {
  say({ idle_ms });
  next(left - 1);
});
next(times);
