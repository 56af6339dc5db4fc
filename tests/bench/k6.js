// What k6 does in a benchmark; the environment says which request.
import http from "k6/http";

const url = __ENV.BENCH_URL;
const body = JSON.stringify({ name: "value", numbers: [1, 2, 3] });
const json = { headers: { "Content-Type": "application/json" } };

export const options = { insecureSkipTLSVerify: true, summaryTrendStats: ["min", "p(50)", "p(99)"] };

export default function () {
  if (__ENV.BENCH_METHOD === "POST") {
    http.post(url, body, json);
  } else {
    http.get(url);
  }
}
