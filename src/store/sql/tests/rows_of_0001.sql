-- Rows as an operator wrote them when the schema was 0001, digests and all.

INSERT INTO tenants (tenant_id, short_id, display_name, enabled, organization, settings, keystore, subscription,
    mark_owner, mark_kind, mark_namespace, mark_name, mark_uid, memo, digest, created_at, updated_at)
VALUES ('acme', 'ABCD-EFGH-2345', 'Acme', TRUE, '{"name":"Acme ApS"}', '{"rememberMe":true,"ttl":{"session":"10h"}}',
    '{"algorithm":"ES256"}', '{"plan":"gold"}',
    'cluster-uid/keyreeve', 'Tenant', 'team-a', 'Tenanttenantacme', 'uid-1', '{"ever":["settings.ttl"]}',
    '626c4203ff326a4ec35be32b820b9c18b1fd825ab094fc3078a4cb8265ac5df1', '2026-11-22T08:43:09.651Z', '2026-11-22T08:43:09.651Z');

INSERT INTO namespaces (tenant_id, name,
    mark_owner, mark_kind, mark_namespace, mark_name, mark_uid, digest, created_at, updated_at)
VALUES ('acme', 'billing',
    'cluster-uid/keyreeve', 'Namespace', 'team-a', 'Namespacetenantacmenamebilling', 'uid-1',
    '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', '2026-11-22T08:43:09.654Z', '2026-11-22T08:43:09.654Z');

INSERT INTO roles (tenant_id, namespace, name, administrator, rules, managed_composites,
    mark_owner, mark_kind, mark_namespace, mark_name, mark_uid, digest, created_at, updated_at)
VALUES ('acme', '', 'admin', TRUE, '[{"methods":["*"],"paths":["/*"]}]', NULL,
    'cluster-uid/keyreeve', 'Role', 'team-a', 'RoletenantacmeroleRoleNamenamespaceNonenameadmin', 'uid-1',
    'ce281a0581efd455096b8c129cfa73cf8dff14e0f5a9496d352f29a019121228', '2026-11-22T08:43:09.656Z', '2026-11-22T08:43:09.656Z'),
    ('acme', 'billing', 'boss', FALSE, '[]', '[{"name":"admin"}]',
    'cluster-uid/keyreeve', 'Role', 'team-a', 'RoletenantacmeroleRoleNamenamespaceSomebillingnameboss', 'uid-1',
    'bc8b9ea8cf373a5b707f46aa013a20eccacff7c215173a472083717c57219dd1', '2026-11-22T08:43:09.658Z', '2026-11-22T08:43:09.658Z');

INSERT INTO role_composites (tenant_id, namespace, name, role_namespace, role_name)
VALUES ('acme', 'billing', 'boss', '', 'admin');

INSERT INTO users (tenant_id, username, id, email, email_verified, first_name, enabled,
    claims, authentication_providers, required_actions, managed_roles,
    mark_owner, mark_kind, mark_namespace, mark_name, mark_uid, digest, created_at, updated_at)
VALUES ('acme', 'ada', '6f1c1f0e-0b1a-4c57-9d5c-2f0f6a1f9a11', 'ada@acme.example', TRUE, 'Ada', TRUE,
    '{"team":{"name":"engines"}}', '[{"name":"github","userId":"1"}]', '["VerifyEmail"]', '[{"name":"boss","namespace":"billing"}]',
    'cluster-uid/keyreeve', 'User', 'team-a', 'Usertenantacmeusernameada', 'uid-1',
    'e8f766c1936e7c75fd10bb1f07b570927d304c79747baab15bf868aea3996e42', '2026-11-22T08:43:09.660Z', '2026-11-22T08:43:09.660Z');

-- By another hand: two with the same address, which 0001 did not mind.
INSERT INTO users (tenant_id, username, id, email) VALUES
    ('acme', 'by-hand', 'one', 'both@acme.example'),
    ('acme', 'by-another', 'two', 'both@acme.example');

INSERT INTO user_roles (tenant_id, username, role_namespace, role_name)
VALUES ('acme', 'ada', 'billing', 'boss');
