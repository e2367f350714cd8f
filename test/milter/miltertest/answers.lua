-- The answers to each stage.
local letters = { accept = "a", reject = "r", tempfail = "t", discard = "d" }

for word, letter in pairs(letters) do
	local conn = session()
	fine("mailfrom", mt.mailfrom(conn, "<answer=" .. word .. "@sender.test>"))
	same("mail, " .. word, letter, reply(conn))
	fine("abort", mt.abort(conn))

	fine("mailfrom", mt.mailfrom(conn, "<a@sender.test>"))
	fine("rcptto", mt.rcptto(conn, "<answer=" .. word .. "@example.net>"))
	same("rcpt, " .. word, letter, reply(conn))
	fine("abort", mt.abort(conn))

	message(conn)
	fine("bodystring", mt.bodystring(conn, "answer=" .. word .. ";"))
	same("body, " .. word, letter, reply(conn))
	fine("abort", mt.abort(conn))

	whole(conn, { "finish " .. word, "addheader X-New value" }, letter)
	same("modifications of a refused message", letter == "a", mt.eom_check(conn, MT_HDRADD))
	mt.disconnect(conn)
end

local conn = session()
whole(conn, { "finish rejectwith" }, "y")
-- A percent sign travels doubled, for Sendmail.
same("reply code", true, mt.eom_check(conn, MT_SMTPREPLY, "550", "5.7.1", "a hundred %% no"))

message(conn)
fine("bodystring", mt.bodystring(conn, "answer=skip;"))
same("skip", "s", reply(conn))
fine("eom", mt.eom(conn))
same("end after skip", "c", reply(conn))
mt.disconnect(conn)
