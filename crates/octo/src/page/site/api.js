// The server's API. A refusal becomes an error with the server's own words.

export class Refusal extends Error {
  constructor(status, body) {
    const text = body?.error ?? `the server answered ${status}`;
    super(text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.'));
    this.status = status;
    this.code = body?.code;
    this.field = body?.details?.field;
  }
}

export async function call(method, path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      cache: 'no-store',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refusal(0, { error: 'The server does not answer. Is it running, and are you online?' });
  }
  const text = await answer.text();
  let value = null;
  try {
    value = text === '' ? null : JSON.parse(text);
  } catch {
    // Not every answer is JSON; the status says enough.
  }
  if (!answer.ok) throw new Refusal(answer.status, value);
  return value;
}

export const get = (path) => call('GET', path);
export const post = (path, body) => call('POST', path, body);

/** Sends a file, telling how far it is. */
export function upload(path, file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('PUT', path);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onerror = () => reject(new Refusal(0, { error: `${file.name} could not be sent: the server does not answer.` }));
    request.onload = () => {
      if (request.status < 300) { resolve(); return; }
      let body = null;
      try { body = JSON.parse(request.responseText); } catch { /* as above */ }
      reject(new Refusal(request.status, body));
    };
    request.send(file);
  });
}
