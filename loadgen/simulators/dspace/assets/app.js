// Fills the page from the REST API. Tokens are kept where DSpace's own UI keeps them: the CSRF
// token in the cookie XSRF-TOKEN, the JWT in the cookie dsAuthInfo.
const API = "/server/api";
const main = document.getElementById("main");

const cookie = (name) => {
  const found = document.cookie.split("; ").find((entry) => entry.startsWith(name + "="));
  return found ? decodeURIComponent(found.slice(name.length + 1)) : "";
};
const setCookie = (name, value) => {
  document.cookie = `${name}=${encodeURIComponent(value)}; path=/; SameSite=Lax`;
};
const token = () => (cookie("dsAuthInfo") ? JSON.parse(cookie("dsAuthInfo")).accessToken : "");

async function call(method, path, body, type) {
  const headers = { Accept: "application/json" };
  if (token()) headers.Authorization = "Bearer " + token();
  if (method !== "GET") {
    if (!cookie("XSRF-TOKEN")) await call("GET", "/security/csrf");
    headers["X-XSRF-TOKEN"] = cookie("XSRF-TOKEN");
  }
  if (type) headers["Content-Type"] = type;
  const response = await fetch(path.startsWith("http") ? path : API + path, { method, headers, body });
  if (response.headers.get("DSPACE-XSRF-TOKEN")) {
    setCookie("XSRF-TOKEN", response.headers.get("DSPACE-XSRF-TOKEN"));
  }
  const authorization = response.headers.get("Authorization");
  if (authorization) {
    setCookie("dsAuthInfo", JSON.stringify({ accessToken: authorization.replace("Bearer ", "") }));
  }
  const text = await response.text();
  if (!response.ok) throw new Error(text ? JSON.parse(text).message : response.statusText);
  return text ? JSON.parse(text) : {};
}
const get = (path) => call("GET", path);
const patch = (path, operations) =>
  call("PATCH", path, JSON.stringify(operations), "application/json-patch+json");

// A browser that records forgets answers that came just before their page was left.
function leaveFor(path) {
  setTimeout(() => location.assign(path), 200);
}

function element(tag, text, attributes = {}) {
  const made = Object.assign(document.createElement(tag), attributes);
  if (text) made.textContent = text;
  main.append(made);
  return made;
}
const link = (text, href, id = "") => element("p").append(
  Object.assign(document.createElement("a"), { textContent: text, href, id }));
const field = (label, id, type = "text", value = "") => {
  const made = Object.assign(document.createElement("input"), { id, type, value });
  element("p", label + " ").append(made);
  return made;
};
const button = (text, id, action) => {
  element("button", text, { id }).onclick = () => action().catch(alertUser);
};
const alertUser = (error) => element("p", error.message, { role: "alert" });
const itemsOf = (found) => found._embedded.searchResult._embedded.objects
  .map((result) => result._embedded.indexableObject);

async function home() {
  element("h1", "DSpace simulator");
  const tops = await get("/core/communities/search/top?size=10");
  tops._embedded.communities.forEach((one) => link(one.name, "/communities/" + one.uuid));
  element("h2", "Recent submissions");
  const recent = await get("/discover/search/objects?dsoType=item&sort=dc.date.accessioned,desc&size=5");
  itemsOf(recent).forEach((item) => link(item.name, "/items/" + item.uuid));
}

async function search() {
  const query = new URLSearchParams(location.search).get("query") || "";
  element("h1", "Results for " + query);
  const text = encodeURIComponent(query);
  const found = await get(`/discover/search/objects?dsoType=item&query=${text}&page=0&size=10`);
  itemsOf(found).forEach((item) => link(item.name, "/items/" + item.uuid));
  const subjects = await get(`/discover/facets/subject?query=${text}&size=5`);
  subjects._embedded.values.forEach((one) => element("p", `${one.label} (${one.count})`));
}

async function community(uuid) {
  element("h1", (await get("/core/communities/" + uuid)).name);
  const below = await get(`/core/communities/${uuid}/subcommunities`);
  below._embedded.communities.forEach((one) => link(one.name, "/communities/" + one.uuid));
  const collections = await get(`/core/communities/${uuid}/collections`);
  collections._embedded.collections.forEach((one) => link(one.name, "/collections/" + one.uuid));
}

async function collection(uuid) {
  element("h1", (await get("/core/collections/" + uuid)).name);
  const found = await get("/discover/search/objects?dsoType=item&size=10&scope=" + uuid);
  itemsOf(found).forEach((item) => link(item.name, "/items/" + item.uuid));
}

async function item(uuid) {
  const shown = await get("/core/items/" + uuid);
  element("h1", shown.name);
  const table = element("table");
  for (const [key, values] of Object.entries(shown.metadata)) {
    const row = table.insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: key }));
    row.insertCell().textContent = values.map((one) => one.value).join("; ");
  }
  const bundles = await get(`/core/items/${uuid}/bundles`);
  const original = bundles._embedded.bundles.find((one) => one.name === "ORIGINAL");
  if (original) {
    const files = await get(`/core/bundles/${original.uuid}/bitstreams`);
    files._embedded.bitstreams.forEach((one) =>
      link(`${one.name} (${one.sizeBytes} bytes)`, `${API}/core/bitstreams/${one.uuid}/content`));
  }
  if (token()) link("Edit", `/items/${uuid}/edit`, "edit");
  await call("POST", "/statistics/viewevents",
    JSON.stringify({ targetId: uuid, targetType: "item" }), "application/json");
}

async function editItem(uuid) {
  const shown = await get("/core/items/" + uuid);
  element("h1", "Edit " + shown.name);
  const title = field("Title", "title", "text", shown.name);
  button("Save", "save", async () => {
    await patch("/core/items/" + uuid,
      [{ op: "replace", path: "/metadata/dc.title/0", value: { value: title.value } }]);
    leaveFor("/items/" + uuid);
  });
}

async function login() {
  element("h1", "Log in");
  await get("/authn/status");
  const user = field("E-mail", "user");
  const password = field("Password", "password", "password");
  button("Log in", "submit", async () => {
    await call("POST", "/authn/login", new URLSearchParams({
      user: user.value, password: password.value }).toString(), "application/x-www-form-urlencoded");
    leaveFor("/mydspace");
  });
}

async function logout() {
  await call("POST", "/authn/logout");
  setCookie("dsAuthInfo", "");
  element("h1", "Logged out");
}

async function mydspace() {
  const status = await get("/authn/status");
  if (!status.authenticated) return alertUser(new Error("Log in first"));
  element("h1", status._embedded.eperson.email);
  const found = await get("/core/collections/search/findSubmitAuthorized?size=5");
  found._embedded.collections.forEach((one, number) =>
    button("Submit to " + one.name, "submit-" + number, async () => {
      const draft = await call("POST", "/submission/workspaceitems?owningCollection=" + one.uuid,
        "{}", "application/json");
      leaveFor(`/workspaceitems/${draft.id}/edit`);
    }));
}

async function editDraft(number) {
  const path = "/submission/workspaceitems/" + number;
  const draft = await get(path);
  element("h1", "Submission " + number);
  const title = field("Title", "title");
  const issued = field("Date of issue", "issued");
  const type = field("Type", "type");
  const file = field("File", "file", "file");
  button("Save", "save", async () => {
    const add = (name, value) => ({ op: "add", path: "/sections/traditionalpageone/" + name,
      value: [{ value }] });
    await patch(path, [add("dc.title", title.value), add("dc.date.issued", issued.value),
      add("dc.type", type.value)]);
    const form = new FormData();
    form.append("file", file.files[0]);
    await call("POST", path, form);
    element("p", "Saved", { id: "saved" });
  });
  const licence = field("I grant the licence", "licence", "checkbox");
  licence.onchange = async () => {
    await patch(path, [{ op: "add", path: "/sections/license/granted", value: licence.checked }]);
    element("p", "Licence granted", { id: "granted" });
  };
  button("Deposit", "deposit", async () => {
    await call("POST", "/workflow/workflowitems", draft._links.self.href, "text/uri-list");
    leaveFor("/items/" + draft._embedded.item.uuid);
  });
}

const PAGES = [
  [/^\/(home)?$/, home], [/^\/search$/, search], [/^\/login$/, login], [/^\/logout$/, logout],
  [/^\/mydspace$/, mydspace], [/^\/communities\/([^/]+)$/, community],
  [/^\/collections\/([^/]+)$/, collection], [/^\/items\/([^/]+)$/, item],
  [/^\/items\/([^/]+)\/edit$/, editItem], [/^\/workspaceitems\/(\d+)\/edit$/, editDraft],
];
for (const [pattern, show] of PAGES) {
  const match = location.pathname.match(pattern);
  if (match) {
    Promise.resolve(show(match[1])).catch(alertUser).finally(() => main.removeAttribute("aria-busy"));
  }
}
