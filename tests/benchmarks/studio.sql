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
