/* Stands in for libselinux on a lab host, whose kernel has no SELinux: enabled, permissive, and every
   file has the label that policy gives it. Ansible's modules load these ten functions. */
#include <stdlib.h>
#include <string.h>

int is_selinux_enabled(void) { return 1; }
int is_selinux_mls_enabled(void) { return 1; }
int security_policyvers(void) { return 33; }
int security_getenforce(void) { return 0; }

int selinux_getenforcemode(int *mode) {
  *mode = 0;
  return 0;
}

static int give(char **text, const char *value) {
  *text = strdup(value);
  return *text ? (int)strlen(value) : -1;
}

int selinux_getpolicytype(char **type) { return give(type, "targeted") < 0 ? -1 : 0; }

int lgetfilecon_raw(const char *path, char **label) {
  (void)path;
  return give(label, "system_u:object_r:default_t:s0");
}

int matchpathcon(const char *path, unsigned mode, char **label) {
  (void)path;
  (void)mode;
  return give(label, "system_u:object_r:default_t:s0") < 0 ? -1 : 0;
}

int lsetfilecon(const char *path, const char *label) {
  (void)path;
  (void)label;
  return 0;
}

void freecon(char *label) { free(label); }
