-- Negotiation, and several messages and sessions side by side.
local conn = session()
same("actions: body", true, mt.test_action(conn, SMFIF_CHGBODY))
same("actions: headers", true, mt.test_action(conn, SMFIF_ADDHDRS))
same("options: no body", false, mt.test_option(conn, SMFIP_NOBODY))
same("options: no data", false, mt.test_option(conn, SMFIP_NODATA))

local other = session("other.test")
message(conn)
message(other, { "addheader X-New other" })
fine("bodyrandom", mt.bodyrandom(conn, 300000))
same("reply to a long body", "c", reply(conn))
fine("eom", mt.eom(other))
same("final reply", "c", reply(other))
same("its own header", true, mt.eom_check(other, MT_HDRADD, "X-New", " other"))
fine("eom", mt.eom(conn))
same("final reply", "c", reply(conn))
same("not the other's header", false, mt.eom_check(conn, MT_HDRADD))

for _ = 1, 20 do
	whole(conn, { "addheader X-New again" })
	same("again", true, mt.eom_check(conn, MT_HDRADD, "X-New", " again"))
	message(conn)
	fine("abort", mt.abort(conn))
end
fine("unknown", mt.unknown(conn, "FOO"))
same("unknown", "c", reply(conn))
mt.disconnect(conn)
-- Without a QUIT.
mt.disconnect(other, false)

-- An IPv6 client is beyond miltertest; one of an unknown family is not.
local unspec = mt.connect(socket, 20, 0.1)
fine("conninfo", mt.conninfo(unspec, "client.test", "unspec"))
same("unspec", "c", reply(unspec))
mt.disconnect(unspec)

-- An old MTA, that offers little.
local old = mt.connect(socket, 20, 0.1)
fine("negotiate", mt.negotiate(old, 2, 0x0f, 0x3f))
fine("conninfo", mt.conninfo(old, "client.test", "192.0.2.1"))
same("version 2", "c", reply(old))
same("leading space", false, mt.test_option(old, 0x100000))
mt.disconnect(old)
