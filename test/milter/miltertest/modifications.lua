-- Each modification, as an MTA other than the real ones takes it apart.
local conn = session()

whole(conn, {})
same("no change", false, mt.eom_check(conn, MT_HDRADD))
same("no new body", false, mt.eom_check(conn, MT_BODYCHANGE))

whole(conn, { "addheader X-New some value" })
same("addheader", true, mt.eom_check(conn, MT_HDRADD, "X-New", " some value"))
same("its value", " some value", mt.getheader(conn, "X-New", 0))

whole(conn, { "insheader 1 X-New value" })
same("insheader", true, mt.eom_check(conn, MT_HDRINSERT, "X-New", " value", 1))

whole(conn, { "chgheader 1 Subject changed" })
same("chgheader", true, mt.eom_check(conn, MT_HDRCHANGE, "Subject", " changed"))

whole(conn, { "delheader 1 Subject" })
same("delheader", true, mt.eom_check(conn, MT_HDRDELETE, "Subject"))

whole(conn, { "addrcpt <c@example.net>", "delrcpt <b@example.net>" })
same("addrcpt", true, mt.eom_check(conn, MT_RCPTADD, "<c@example.net>"))
same("delrcpt", true, mt.eom_check(conn, MT_RCPTDELETE, "<b@example.net>"))

whole(conn, { "body 20" })
same("body", true, mt.eom_check(conn, MT_BODYCHANGE, string.rep("x", 20)))

whole(conn, { "quarantine looks odd" })
same("quarantine", true, mt.eom_check(conn, MT_QUARANTINE, "looks odd"))

mt.disconnect(conn)
