// Names of Momentum 4 that clickmilter ignores, so that a configuration copied from Momentum loads
// with warnings.

/**
 * Options of Momentum's global, listener, Listen, Peer and pathway scopes ("Configuration Options
 * Summary").
 */
export const momentumOptions: ReadonlySet<string> = wordsOf(`
  _unsafe_spool accept_queue_backlog alias_schemes allow_ip_literal allow_null_envelope_sender
  allow_trailing_whitespace_in_commands always_allow always_deny async_bounce_rendering authcrammd5parameters
  authdigestmd5parameters authloginparameters authorizationparameters authplainparameters banner_hostname
  bind_address blackhole body_timeout bounce_behavior bounce_domains bounce_pattern bounce_suppress_list
  bounces_inline_original clear_mail_queue_maintainers concurrency connect_timeout connect_timeout_to_delay
  connection_allocation_aggressiveness control_client_timeout crypto_engine crypto_lock_method debug_level
  default_binding default_charset delay_dsn_max_retry_interval delay_dsn_retry_interval
  delayed_binding_domain_fuzz delayed_queue_scan_interval delivery_method delivery_pool
  delivery_response_timeout disable_chunked disable_nagle_algorithm disk_queue_drain_rate
  dns_cache_purge_interval dns_expire_interval dns_failures_to_purge dns_fallback_to_tcp
  domain_for_unqualified_recipient_addresses domain_for_unqualified_sender_address domainkeys
  drop_body_after_trans_fail duravip_follow duravip_preference ecstream_idle_time ecstream_max_batch_size
  ecstream_port ecstream_timeout ehlo_hostname ehlo_timeout enable_authentication enable_authorization
  enable_duravip enable_fbl_header_insertion event_loop events_per_iter exclude_vctx_conn exclude_vctx_mess
  expensive_batch_assessment force_fsync fully_resolve_before_smtp gateway generate_bounces
  generate_bounces_for_multi_recipient_policy_rejections generate_delay_dsn growbuf_size host_failure_retry
  hostname http_basic_auth http_host http_method http_uri http_version idle_time idle_timeout
  inbound_throttle_messages initial_hash_buckets inline_transfail_processing keep_message_dicts_in_memory
  large_message_threshold legacy_message_threshold license listen_backlog listener_sessions lmtp_port
  local_changes_file local_changes_only log_requests_to_paniclog mail_queue_check_vm_interval mailerdaemon
  mailfrom_timeout maintainer_pool malloc2mmap_threshold masterdb_file match_cache_life match_cache_size
  max_deliveries_per_connection max_dns_ttl max_message_size max_outbound_connections
  max_receptions_per_connection max_recipients_per_batch max_recipients_per_connection
  max_recipients_per_message max_request_size max_resident_active_queue max_resident_messages
  max_resident_transfails max_retries max_retry_interval max_timed_events_per_iter mcmt_reception
  mdn_failures_notify memory_goal memory_hwm message_expiration migrate_connections_between_sibling_domains
  mime_parse_large_messages_during_reception min_dns_ttl mx_failures_fallback_to_a mx_failures_to_delay
  never_attempt_expired_messages never_retry only_use_best_mx_for_relay_domains open_relay
  open_tracking_enabled open_tracking_scheme opendkim_sign outbound_throttle_connections
  outbound_throttle_messages pcre_cache_size pcre_cache_ttl permastore_interval pidfile pool_name
  prohibited_hosts rcptto_timeout received_hostname reconfig_message relay_domains relay_for_sending_domains
  relay_hosts remote_smtp_port require_ehlo reserve_maintenance_interval resolv_conf
  response_transcode_pattern response_transcode_replace retry_interval rfc2821_allow_whitespace_in_envelope
  rfc2821_pedantic_address_rules rfc2822_date_header rfc2822_lone_lf_in_body rfc2822_lone_lf_in_headers
  rfc2822_max_line_length rfc2822_max_line_length_policy rfc2822_messageid_header rfc2822_missing_headers
  rfc2822_trace_headers routes rset_timeout scheduler scope_max_outbound_connections send_8bitmime
  server_max_file_descriptors server_max_outbound_connections server_reserve_outbound_connections
  service_sessions signing_stats siv_throttle_cache_size skip_hosts smtp_extensions soft_bounce_drain_rate
  spool_mode spoolbase ssl_lock_method starttls_injection_policy static_banner suspend_delivery
  tcp_buffer_size tcp_recv_buffer_size tcp_send_buffer_size timeout timestampformat tls
  tls_allow_renegotiation tls_ca tls_certificate tls_ciphers tls_client_ca tls_dhparams_file
  tls_enable_dhe_ciphers tls_engine tls_ifavailable_fallback tls_key tls_protocols
  tls_verified_peer_can_relay tls_verified_peer_is_authorized tls_verify tls_verify_mode trace_smtp_mode
  transfail_drain_rate transform_8bitmime_content umem_reap_interval unlink_on_spool_in_failure
  use_iflist_cache use_ipv6 use_mmap use_sendfile use_ssl xclient
`);

/** Options and context variables that clickmilter does not implement, with the consequence. */
export const notImplemented: ReadonlyMap<string, string> = new Map([
  ['open_tracking_enabled', 'opens will not be tracked'],
  ['open_tracking_scheme', 'opens will not be tracked'],
  ['smtpapi_open_tracking', 'opens will not be tracked'],
  ['smtpapi_open_tracking_scheme', 'opens will not be tracked'],
]);

/** Momentum's stanzas: scopes, and modules that are common beside engagement tracking. */
export const momentumStanzas: ReadonlySet<string> = wordsOf(`
  ac_auth adaptive adaptive_backstore_leveldb adaptive_backstore_riak adaptive_sweep_rule alerting as_logger
  auth_ds auth_radius authorization beik binding binding_auto_replumb binding_auto_replumb_interval
  binding_group bounce_classifier_override bounce_logger brightmail cassandra_client chunk_logger clamav
  cloudmark cluster conntrol custom_bounce_logger custom_logger debug_flags delay_dsn dkim domain domainkeys
  ds_core eccluster_listener ecstream_listener event_hose eventloop fbl gauge_cache generic_webhook host
  httpsrv hydra inbound_audit ldap logs mail_loop mbus msg_gen msgc_client msgc_server msgcserver_listener
  mxip opendkim outbound_audit outbound_smtp_auth persistent_io pipe_transport ptr_validate replicate
  scriptlet security seedlist sieve smtp_auth_proxy smtp_cbv smtp_rcptto_error_rewrite snmp snmp_traps spf_v1
  static_routing substitution_engine suppress_spool thread_pool threadpool tls_macros topology url_ripper
  xmpp_listener
`);

function wordsOf(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
