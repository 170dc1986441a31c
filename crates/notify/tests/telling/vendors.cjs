// Holds payloads against what the vendors publish: Slack's and Discord's types, Microsoft's types of cards for Teams, and
// Microsoft's own parser of Adaptive Cards. Input: JSON, `[{ kind, payload }]`. Output: one line a fault. Exit code: 0 where
// there is none.
const path = require("node:path");
const modules = process.argv[2];
const load = (name) => require(path.join(modules, name));
const ts = load("typescript");
const cards = load("adaptivecards/dist/adaptivecards.js");

const TYPES = {
  slack: "{ text: string; blocks: KnownBlock[]; unfurl_links: boolean; unfurl_media: boolean }",
  discord: "RESTPostAPIWebhookWithTokenJSONBody",
  teams: "{ type: 'message'; attachments: { contentType: 'application/vnd.microsoft.card.adaptive'; contentUrl: null; content: IAdaptiveCard }[] }",
};

function typed(items) {
  const source = [
    "import type { KnownBlock } from '@slack/types';",
    "import type { RESTPostAPIWebhookWithTokenJSONBody } from 'discord-api-types/v10';",
    "import type { IAdaptiveCard } from '@microsoft/teams.cards';",
    ...items.map(({ kind, payload }, index) => `export const p${index}: ${TYPES[kind]} = ${JSON.stringify(payload)};`),
  ].join("\n");
  const options = {
    strict: true, noEmit: true, skipLibCheck: true, types: [], lib: ["lib.es2022.d.ts"],
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16,
  };
  // Beside the modules, so that they are found; never written.
  const file = path.join(path.dirname(modules), "payloads.mts");
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.readFile = (name) => (name === file ? source : readFile(name));
  host.getSourceFile = (name, ...rest) =>
    name === file ? ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true) : getSourceFile(name, ...rest);
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map((one) => {
    const line = one.file?.getLineAndCharacterOfPosition(one.start).line;
    const item = line === undefined ? undefined : items[line - 3];
    return `${item?.kind ?? "types"}: ${ts.flattenDiagnosticMessageText(one.messageText, " ")}`;
  });
}

function parsed({ kind, payload }) {
  if (kind !== "teams") return [];
  const context = new cards.SerializationContext();
  const card = new cards.AdaptiveCard();
  card.parse(payload.attachments[0].content, context);
  const events = Array.from({ length: context.eventCount }, (_, at) => `teams: ${context.getEventAt(at).message}`);
  const validation = card.validateProperties();
  return events.concat(validation.validationEvents.map((one) => `teams: ${one.message}`));
}

let text = "";
process.stdin.on("data", (chunk) => (text += chunk));
process.stdin.on("end", () => {
  const items = JSON.parse(text);
  const faults = [...typed(items), ...items.flatMap(parsed)];
  faults.forEach((fault) => console.log(fault));
  console.log(`${items.length} payloads, ${faults.length} faults`);
  process.exit(faults.length ? 1 : 0);
});
