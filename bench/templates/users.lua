-- For wrk: a browser's head of 13 fields (Host is wrk's), with the Basic credentials of many users in turn.
-- CREDENTIALS names a file with one base64 token a line.
local prepared = {}
local turn = 0

local browser = {
  ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  ["Accept-Language"] = "de,en-US;q=0.7,en;q=0.3",
  ["Accept-Encoding"] = "gzip, deflate",
  ["Connection"] = "keep-alive",
  ["Cookie"] = "sessionid=0123456789abcdef0123456789abcdef; theme=0123456789abcdef",
  ["Referer"] = "http://www.adatum.com/exchange/",
  ["Upgrade-Insecure-Requests"] = "1",
  ["Sec-Fetch-Dest"] = "document",
  ["Sec-Fetch-Mode"] = "navigate",
  ["Sec-Fetch-Site"] = "same-origin",
}

function init(arguments)
  for token in io.lines(os.getenv("CREDENTIALS")) do
    browser["Authorization"] = "Basic " .. token
    prepared[#prepared + 1] = wrk.format("GET", nil, browser)
  end
end

function request()
  turn = turn % #prepared + 1
  return prepared[turn]
end
