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

// A larger file goes in parts of so many bytes: a request may not have any size.
const PART = 32 * 1024 * 1024;

/** Sends a file to a session's file server, telling how far it is. `at` is its path there, as a query has it. */
export async function upload(server, at, file, progress) {
  const { max_upload_bytes: most } = await get('/api/features');
  const part = Math.min(PART, most);
  if (file.size <= part) {
    await send('PUT', `${server}/file?path=${at}`, {}, file, file.name, (sent) => progress(sent / file.size));
    return;
  }
  const { id } = await post(`${server}/uploads?path=${at}&size=${file.size}`);
  try {
    for (let offset = 0; offset < file.size; offset += part) {
      await send('PATCH', `${server}/uploads/${id}`, { 'Upload-Offset': offset }, file.slice(offset, offset + part), file.name,
        (sent) => progress((offset + sent) / file.size));
    }
  } catch (refusal) {
    // It would keep its room for an hour.
    await call('DELETE', `${server}/uploads/${id}`).catch(() => {});
    throw refusal;
  }
}

/** Sends bytes, telling how many have gone. */
function send(method, path, headers, bytes, name, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open(method, path);
    for (const [header, value] of Object.entries(headers)) request.setRequestHeader(header, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded);
    request.onerror = () => reject(new Refusal(0, { error: `${name} could not be sent: the server does not answer.` }));
    request.onload = () => {
      if (request.status < 300) { resolve(); return; }
      let body = null;
      try { body = JSON.parse(request.responseText); } catch { /* as above */ }
      reject(new Refusal(request.status, body));
    };
    request.send(bytes);
  });
}
