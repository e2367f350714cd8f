// The floor of the library: a filter that takes the body and changes nothing.
// floor.mjs LIBRARY SOCKET
const [library, path] = process.argv.slice(2);
const { createMilterServer } = await import(library);

const server = createMilterServer({
  silent: ['header'],
  begin: () => undefined,
  mail() {},
  rcpt() {},
  header() {},
  endOfHeaders() {},
  body() {},
  endOfMessage() {},
});
await server.listen({ path, mode: 0o777 });
