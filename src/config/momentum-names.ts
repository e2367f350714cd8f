// Names of Momentum that have no meaning here: its configurations are pasted with them, and load with warnings.

/** Options, in lower case: those of its listeners, pathways and global scope that configurations commonly hold. */
export const momentumOptions: ReadonlySet<string> = new Set(
  `accept_queue_backlog alias_schemes allow_ip_literal allow_null_envelope_sender
  allow_trailing_whitespace_in_commands always_allow always_deny authcrammd5parameters authdigestmd5parameters
  authentication_realm authloginparameters authorization authparameters authplainparameters authscheme
  auth_digest_md5_parameters auth_login_parameters auth_plain_parameters banner banner_hostname bind_address body_timeout
  bounce_behavior bounce_domains bounce_pattern capabilities chunk_size clear_mail_queue_maintainers client_timeout
  concurrency connect_timeout coredump_disk_limit cpu_affinity debug_flags debug_level default_binding
  default_charset defer_extended_logger disable_nagle_algorithm dsn_return_path ehlo_hostname
  enable_authentication enable_authorization enable_ipv6 event_loop events_per_iter expires fips_mode_set
  fd_limit force_encoding forward_relay_hosts free_message_pool gateway generate_bounces generate_delivery_receipts
  growbuf_size high_action hostname idle_time idle_timeout inbound_audit include_conf_dir initial_hash_buckets
  io_concurrency keep_alive keep_message_dicts_in_memory large_message_threshold license listen_backlog
  local_relay_hosts lookahead_rate_limit malloc_pools maintainer_delay maintain_delay max_connections
  max_hops max_message_size max_messages_per_connection max_outbound_connections max_receives_per_connection
  max_recipients_per_batch max_recipients_per_connection max_recipients_per_message max_resident_active_queue
  max_resident_messages max_retries max_retry_interval message_expiration message_size_limit mime_parse_during_reception
  min_free_space min_free_swap min_retry_interval modules msg_gen never_reuse_spool_names notify_on_delay
  open_tracking_enabled open_tracking_scheme openssl_disable_padding orig_to_header outbound_smtp_auth_type
  password pipelining pool_name postmaster precise_accounting propagate_errors protocol_error_limit prohibited_hosts
  queue_hash_type read_timeout receive_timeout rcpt_to_timeout recv_chunk_size relay_domains relay_host relay_hosts relay_recipients
  reject_on_dns_failure relaying_denied_message rewrite_headers rfc2822_addr_mode rfc2822_date_header rfc2822_lone_lf_in_body
  rfc2822_lone_lf_in_headers rfc2822_max_line_length_policy rfc2822_messageid_header rfc2822_missing_headers
  rfc2822_trailing_whitespace routing_domain routes scramble_tokens send_8bitmime server_reject_on_threshold
  sieve_script sleep_time smtp_extensions smtp_auth spool_base spool_mode ssl_passphrase starttls_injection_policy
  static_plumbing_only stats_ttl supplemental_groups suspend_delivery swap_out_message_memory
  tarpit tcp_nodelay tcp_recv_buffer_size tcp_send_buffer_size threadpool timestampformat tls tls_ca tls_certificate tls_ciphers
  tls_client_ca tls_engine tls_key tls_macs tls_protocols tls_verify trace_smtp_mail transform_trace_header
  timeout umask undisclosed_recipients_header unconditional_accept use_iflist user group
  validate_rcpt_to verp xclient xclient_hosts zero_downtime`
    .trim()
    .split(/\s+/),
);

/** Stanzas, in lower case: scopes and the modules that stand around engagement tracking. */
export const momentumStanzas: ReadonlySet<string> = new Set(
  `ac_auth adaptive adaptive_backstore_leveldb adaptive_backstore_riak adaptive_sweep_rule alerting antivirus
  as_logger auth_ds authorization beik binding binding_group bounce_classifier_override bounce_logger brightmail
  cassandra_client chunk_logger clamav cloudmark cluster commtouch custom_bounce_logger custom_logger datasource
  ds_core debug_flags delay_dsn dkim dnsbl domain domainkeys domain_list_logger eccluster_listener ecstream_listener
  eventloop fbl gauge_cache generic_webhook host hitlist http_server httpsrv inbound_audit inbound_mail_concurrency
  ldap live_bounce_updater lua mail_loop mailq_limiter mainlog maps messagescope msg_gen msgc_client msgc_server
  msgcserver_listener mxip node opendkim outbound_audit outbound_smtp_auth_type override paniclog persistent_io
  policy_profile ptr_validate radius ratelimit rejectlog relay_domains replicate scriptlet scope_max_outbound_messages
  security seedlist sieve sieve2 smtp_cbv smtp_auth_proxy smtp_rcptto_error_rewrite snmp spf spf_v1 spool_assassin static_routing
  statp stp subaddress substitution_engine suppression_list tcp_server tempfail_logger threadpool tls_macros
  url_ripper uptime_whitelist vctx_mess vctx_conn velocity_engine xclient xml_logger xmpp_listener`
    .trim()
    .split(/\s+/),
);
