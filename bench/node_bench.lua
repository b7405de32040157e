-- A request for wrk and its figures as one line that a program can read. Arguments: METHOD PATH TYPE FILE.
-- A path with %d gets a new random number between LOW and HIGH, the fifth and sixth argument, for each request.

local method, path, low, high

function init(args)
  method, path, low, high = args[1], args[2], tonumber(args[5]), tonumber(args[6])
  local body
  if method == "POST" then
    wrk.headers["Content-Type"] = args[3]
    local file = assert(io.open(args[4], "rb"))
    body = file:read("*a")
    file:close()
  else
    wrk.headers["Accept"] = args[3]
  end
  wrk.method, wrk.body = method, body
  if not low then
    local text = wrk.format(method, path)
    request = function() return text end
  else
    math.randomseed(1)
    request = function() return wrk.format(method, string.format(path, math.random(low, high))) end
  end
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    "FIGURES {\"requests\": %d, \"micros\": %d, \"bytes\": %d, \"p50_us\": %d, \"p99_us\": %d, \"errors\": %d}\n",
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
