/** The model, or its server, refused; the message is Python's. */
export class Refusal extends Error {}

/** The server does not answer. */
export class NoServer extends Error {}

/** What to tell the reader; `gone` if the server does not answer. */
export function messageOf(error: unknown, gone: string): string {
  return error instanceof NoServer ? gone : (error as Error).message;
}

/** Ask the page's own server; see Python's `explorer/respond.py`. */
export async function ask<Reply>(kind: string, about: object, signal?: AbortSignal): Promise<Reply> {
  let response: Response;
  try {
    response = await fetch("respond", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ask: kind, ...about }),
      signal,
    });
  } catch {
    throw new NoServer();
  }
  const reply = (await response.json()) as Reply & { error?: string };
  if (!response.ok) throw new Refusal(reply.error);
  return reply;
}
