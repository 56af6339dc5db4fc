// What k6 does in a benchmark; the environment says which request, and how many at which rate.
import http from "k6/http";

const url = __ENV.BENCH_URL;
const body = JSON.stringify({ name: "value", numbers: [1, 2, 3] });
const json = { headers: { "Content-Type": "application/json" } };
const users = Number(__ENV.BENCH_VUS);
const duration = `${__ENV.BENCH_SECONDS}s`;
const rate = Number(__ENV.BENCH_RATE);

export const options = {
  insecureSkipTLSVerify: true,
  summaryTrendStats: ["min", "p(50)", "p(99)"],
  scenarios: {
    bench: rate
      ? { executor: "constant-arrival-rate", rate, duration, preAllocatedVUs: users }
      : { executor: "constant-vus", vus: users, duration },
  },
};

export default function () {
  if (__ENV.BENCH_METHOD === "POST") {
    http.post(url, body, json);
  } else {
    http.get(url);
  }
}
