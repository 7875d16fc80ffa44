-- A million subscribers and ten million messages, made by PostgreSQL itself; {…} are filled in by studio.py.
INSERT INTO subscriptions (list_id, email, mailbox, name, clp, office, state, created_at, confirmed_at)
  SELECT 1, 'm' || n || '@d' || n % 5000 || '.example', 'm' || n || '@d' || n % 5000 || '.example',
  (ARRAY['Ada','Bilal','Carys','Dermot','Farah'])[n % 5 + 1] || ' ' || initcap(translate((n % 40000)::text, '0123456789', 'abcdefghij')),
  'Party ' || n % 600, CASE WHEN n % 97 = 0 THEN 'chair' ELSE '' END, 'confirmed', now() - n * interval '30 seconds',
  now() - n * interval '30 seconds' + interval '5 minutes' FROM generate_series(1, {people}) n;
INSERT INTO signatures (edition_id, email, mailbox, name, name_key, clp, office, display, state, sequence, created_at, confirmed_at)
  SELECT 1, email, mailbox, name, id::text, clp, '', 'public', 'confirmed', id + 100, created_at, confirmed_at
  FROM subscriptions WHERE id % 5 = 0 AND id <= {signers} * 5;
INSERT INTO mailings (slug, list_id, subject, body, state, audience, because, created_at, approved_at, finished_at, fanned_out_to,
  fanned_out_at, paused_because) SELECT 'm' || n, 1, 'Mailing ' || n, 'Hello {{name|friend}}.',
  CASE WHEN n = {mailings} THEN 'draft' ELSE 'sent' END, '{{}}', '', now(), now() - n * interval '1 day',
  now() - n * interval '1 day' + interval '1 hour', 0, now(), '' FROM generate_series(1, {mailings}) n;
INSERT INTO messages (kind, queue, mailing_id, subscription_id, state, due_at, attempts, reply_code, reply_text, created_at, settled_at)
  SELECT 'mailing', 'bulk', m, s, CASE WHEN s % 100 = 0 THEN 'refused' WHEN s % 5000 = 7 THEN 'bounced' ELSE 'accepted' END, now(), 1,
  CASE WHEN s % 100 = 0 THEN 550 ELSE 250 END, CASE WHEN s % 100 = 0 THEN '5.1.1 no such user' ELSE '2.0.0 Ok' END, now(),
  now() + s * interval '1 millisecond' FROM generate_series(1, {mailings} - 1) m, generate_series(1, {people}) s;
INSERT INTO tallies (mailing_id, state, count) SELECT m, state, count FROM generate_series(1, {mailings}) m,
  (VALUES ('total', {people}), ('accepted', {people} * 99 / 100), ('refused', {people} / 100), ('suppressed', 0), ('cancelled', 0),
  ('expired', 0), ('bounced', 0), ('complained', 0)) t(state, count);
SELECT setval('mailings_id_seq', (SELECT max(id) FROM mailings));
INSERT INTO consents (mailbox, purpose, act, channel, wording, wording_hash, at) SELECT mailbox, 'list:updates', 'confirmed', 'web',
  'I want to get updates by e-mail.', '', confirmed_at FROM subscriptions;
INSERT INTO reply_patterns (key, reason, status, example, first_at) SELECT 'no such user ' || n, 'no such user', '5.1.1', '550 5.1.1 no such user',
  now() - interval '90 days' FROM generate_series(1, 100) n;
INSERT INTO suppressions (hash, cause, reason, at, pattern_id) SELECT md5(n::text) || md5((n + 1)::text), 'hard',
  'bounced: 5.1.1 no such user', now() - n * interval '1 minute', 1 + n % 100 FROM generate_series(1, {troubles}) n;
INSERT INTO bounces (hash, mailing_id, kind, status, text, at, pattern_id, domain) SELECT md5(n::text) || md5((n + 1)::text), 1 + n % 10,
  'hard', '5.1.1', 'no such user', now() - n * interval '1 minute', 1 + n % 100, 'd' || n % 5000 || '.example'
  FROM generate_series(1, {troubles}) n;
INSERT INTO audit_entries (at, organiser_id, act, subject, details, address, previous, hash) SELECT now() - n * interval '1 minute', 1,
  (ARRAY['write','submit','send','suppress'])[n % 4 + 1], 'mailing ' || n % 5000, '{{}}', '192.0.2.1', '', md5(n::text)
  FROM generate_series(1, {acts}) n;
INSERT INTO arrivals (source, recipient, state, due_at, attempts, received_at, kind, reason, outcome, mailbox, author, subject, body, folder)
  SELECT 'lmtp', 'notices@lists.example.org', 'done', now(), 1, now() - n * interval '1 minute', 'reply', '', 'kept for the organisers',
  'm' || n || '@d' || n % 5000 || '.example', 'm' || n || '@d' || n % 5000 || '.example', 'Re: Mailing 1', repeat('I agree. ', 100),
  (ARRAY['replies','replies','automatic','unclear'])[n % 4 + 1] FROM generate_series(1, {mails}) n;
INSERT INTO servings (notice_id, edition_id, state, causes, rehearsal, due_at, created_at, started_at, written_at, cut_off, count, stopped_by)
  SELECT 1, 1, 'written', '["repeats weekly"]', false, now() - n * interval '7 days', now(), now() - n * interval '7 days',
  now() - n * interval '7 days', 1000, 1000, '' FROM generate_series(1, {servings}) n;
INSERT INTO messages (kind, queue, email, mailbox, state, due_at, attempts, reply_code, reply_text, created_at, settled_at)
  SELECT 'serving', 'notices', s.id || '.' || o || '@nec.example', s.id || '.' || o || '@nec.example', 'accepted', now(), 1, 250,
  '2.0.0 Ok: queued', now(), now() FROM servings s, generate_series(1, {officials}) o WHERE s.state = 'written';
INSERT INTO deliveries (serving_id, office, message_id, names_given) SELECT split_part(email, '.', 1)::bigint,
  'Office ' || split_part(split_part(email, '@', 1), '.', 2), id, 1000 FROM messages WHERE kind = 'serving' AND email LIKE '%@nec.example';
INSERT INTO evidence (notice_id, number, delivery_id, record, hash) SELECT 1, d.id * 3 + n, d.id, '{{"at":"2026-11-24T10:00:00.000+00:00",'
  || '"code":250,"host":"mx.nec.example","kind":"attempt","number":' || d.id * 3 + n || ',"replies":[],"verdict":"accepted"}}' || chr(10), md5(d.id::text)
  FROM deliveries d, generate_series(0, 2) n;
INSERT INTO import_lines (import_id, line, reason) SELECT i.id, n, 'email: Enter an e-mail address, like name@example.org.'
  FROM imports i, generate_series(1, {troubles}) n;
