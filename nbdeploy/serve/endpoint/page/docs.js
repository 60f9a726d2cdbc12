// Shows /openapi.json as a page: each address with what it takes and what it answers.
const place = document.getElementById("operations");

function element(kind, name, ...inside) {
  const made = document.createElement(kind);
  if (name) made.className = name;
  made.append(...inside);
  return made;
}

function follow(document, schema) {
  const name = schema?.$ref?.split("/").pop();
  return name ? document.components.schemas[name] : schema;
}

function described(document, schema) {
  const found = follow(document, schema) ?? {};
  const parts = Object.entries(found.properties ?? {}).map(([name, part]) => {
    const inner = follow(document, part);
    const row = inner.type === "array" ? follow(document, inner.items) : null;
    const about = row ? `[${Object.keys(row.properties ?? {}).join(", ") || row.description || row.type || ""}]` : inner.description || inner.type || "";
    return `${name}: ${about}`;
  });
  return parts.length ? `{ ${parts.join(", ")} }` : found.description || found.type || "";
}

function rows(entries) {
  return element("dl", "", ...entries.flatMap(([name, text]) => [element("dt", "", name), element("dd", "", text)]));
}

function shown(document, path, method, operation) {
  const head = element("div", "row",
    element("span", `method ${method}`, method.toUpperCase()),
    element("span", "address", path),
    element("span", "quiet", operation.security ? `${operation.summary} · with a token` : operation.summary));
  const article = element("article", "", head);
  const takes = Object.entries(operation.requestBody?.content ?? {});
  if (takes.length) {
    article.append(rows(takes.map(([kind, part]) => [kind, described(document, part.schema)])));
  }
  const answers = Object.entries(operation.responses).map(([status, answer]) => {
    const [part] = Object.values(answer.content ?? {});
    const form = status === "200" ? described(document, part?.schema) : "";
    return [status, form && form !== "object" ? `${answer.description}: ${form}` : answer.description];
  });
  article.append(element("details", "", element("summary", "", "Answers"), rows(answers)));
  return article;
}

try {
  const said = await (await fetch("/openapi.json")).json();
  const about = element("p", "", said.info.description);
  const all = Object.entries(said.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => shown(said, path, method, operation)));
  place.replaceChildren(about, ...all);
} catch (error) {
  place.replaceChildren(element("p", "", `✕ ${error.message}`));
}
