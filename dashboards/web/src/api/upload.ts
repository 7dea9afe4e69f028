/* Sends a file and says how far it is, which `fetch` cannot. The answer is a `Response`, status 0 when nothing answered. */

/** A province's sheet over a slow line, and the collector's time to read it. */
const PATIENCE_MS = 120_000;

export function upload(path: string, file: Blob, sent: (share: number) => void): Promise<Response> {
  return new Promise((resolve) => {
    const request = new XMLHttpRequest();
    request.timeout = PATIENCE_MS;
    request.upload.onprogress = (event) => event.lengthComputable && sent(event.loaded / event.total);
    request.upload.onload = () => sent(1);
    request.onload = () => resolve(new Response((request.response as string) || null, { status: request.status }));
    request.onerror = request.ontimeout = () => resolve(Response.error());
    request.open("POST", path);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.setRequestHeader("accept", "application/json");
    request.send(file);
  });
}
