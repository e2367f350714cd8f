-- Requests the paths of a file in turn: wrk -s paths.lua URL -- FILE
local requests, next_request = {}, 0

function init(arguments)
  for path in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("GET", path)
  end
end

function request()
  next_request = next_request % #requests + 1
  return requests[next_request]
end
