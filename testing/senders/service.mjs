// A push service on loopback that takes whatever it is sent and remembers it.

import { createServer } from 'node:http';

const ACCEPTED = JSON.stringify({ result: 'ok', code: 0, data: { id: 'sdm1' }, description: '成功', info: '' });

export class Service {
  requests = [];

  static async start() {
    const service = new Service();
    service.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString('utf8')));
      const { method, url: path, headers } = request;
      service.requests.push({ method, path, headers, form });
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end(ACCEPTED);
    });
    await new Promise((listening) => service.server.listen(0, '127.0.0.1', listening));
    service.url = `http://127.0.0.1:${service.server.address().port}`;
    return service;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }
}
