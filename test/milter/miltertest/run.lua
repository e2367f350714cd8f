-- miltertest says nothing about a script's errors: this one runs the script named by -D and says it.
local here = directory .. "/"

--- Fails unless the two are the same.
function same(what, expected, actual)
	if expected ~= actual then
		error(string.format("%s: expected %s, got %s", what, tostring(expected), tostring(actual)), 0)
	end
end

--- Fails if a function of mt gave an error text.
function fine(what, problem)
	if problem ~= nil then
		error(what .. ": " .. tostring(problem), 0)
	end
end

--- The last reply, as the letter it is on the wire.
function reply(conn)
	return string.char(mt.getreply(conn))
end

--- A connection to the obedient filter, CONNECT and HELO done.
function session(host)
	local conn = mt.connect(socket, 20, 0.1)
	if conn == nil then
		error("mt.connect: " .. socket, 0)
	end
	fine("conninfo", mt.conninfo(conn, host or "client.test", "192.0.2.1"))
	same("reply to conninfo", "c", reply(conn))
	fine("helo", mt.helo(conn, "client.test"))
	same("reply to helo", "c", reply(conn))
	return conn
end

--- MAIL to the end of headers; `orders` are X-Do fields for the filter.
function message(conn, orders)
	fine("macro", mt.macro(conn, SMFIC_MAIL, "i", "QUEUEID"))
	fine("mailfrom", mt.mailfrom(conn, "<a@sender.test>", "BODY=8BITMIME"))
	same("reply to mailfrom", "c", reply(conn))
	fine("rcptto", mt.rcptto(conn, "<b@example.net>"))
	same("reply to rcptto", "c", reply(conn))
	fine("data", mt.data(conn))
	same("reply to data", "c", reply(conn))
	fine("header", mt.header(conn, "Subject", "hello"))
	same("reply to header", "c", reply(conn))
	for _, order in ipairs(orders or {}) do
		fine("header", mt.header(conn, "X-Do", order))
		same("reply to header", "c", reply(conn))
	end
	fine("eoh", mt.eoh(conn))
	same("reply to eoh", "c", reply(conn))
end

--- The whole of a message, to the final reply.
function whole(conn, orders, final)
	message(conn, orders)
	fine("bodystring", mt.bodystring(conn, "some text\r\n"))
	same("reply to body", "c", reply(conn))
	fine("eom", mt.eom(conn))
	same("final reply", final or "c", reply(conn))
end

local ok, problem = pcall(dofile, here .. script)
if not ok then
	mt.echo(script .. ": " .. tostring(problem))
	error(problem, 0)
end
mt.echo(script .. ": passed")
