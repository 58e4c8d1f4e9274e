/* Monte Carlo at constant pressure of one or two kinds of Lennard-Jones atoms: a second route to the values of
 * the validation that are no published ones, which shares no code with OpenMM or with this project.
 *
 *   cc -O3 -march=native -ffast-math -o monte_carlo monte_carlo.c -lm
 *   ./monte_carlo T P N1 N2 SIGMA2 EPSILON2 SWITCH CUTOFF SHIFT SWEEPS SEED
 *
 * All in units of the first kind's sigma and epsilon; unlike pairs follow Lorentz and Berthelot. Between SWITCH and
 * CUTOFF the potential goes to zero as OpenMM's switching function has it; SWITCH = CUTOFF truncates. What is
 * cut off is added as if g(r) were 1 there. With SHIFT 1, moves of atoms see the potential that is zero at the cutoff, and
 * moves of the volume the one that jumps, as in molecular dynamics with a Monte Carlo barostat.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 4000
#define BLOCKS 20

static uint64_t state[2];
static int number, first; /* the first kind comes first */
static double x[MOST], y[MOST], z[MOST]; /* fractions of the edge */
static double edge, switch_on, cutoff, sigma2[2][2], epsilon4[2][2], at_cutoff[2][2], tail; /* tail over volume */

static double uniform(void) { /* xorshift128+ */
    uint64_t a = state[0], b = state[1];
    state[0] = b;
    a ^= a << 23;
    state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return ((state[1] + b) >> 11) * (1.0 / 9007199254740992.0);
}

static inline double pair(double r2, double s2, double e4) {
    double q2 = s2 / r2, q6 = q2 * q2 * q2;
    return e4 * (q6 * q6 - q6);
}

static inline double switched(double r2) {
    double t = fmax(0, (sqrt(r2) - switch_on) / (cutoff - switch_on));
    return 1 + t * t * t * (-10 + t * (15 - t * 6));
}

/* The energy of an atom at a place with all others, less `shifted` times what a pair has at the cutoff. */
static double energy_at(int i, double px, double py, double pz, double shifted) {
    double sum = 0, square = edge * edge, limit = cutoff * cutoff / square;
    int smooth = switch_on < cutoff, mine = i >= first;
    for (int other = 0; other < 2; other++) {
        double s2 = sigma2[mine][other], e4 = epsilon4[mine][other], less = shifted * at_cutoff[mine][other];
        int end = other ? number : first;
        for (int j = other ? first : 0; j < end; j++) {
            double dx = px - x[j], dy = py - y[j], dz = pz - z[j];
            dx -= rint(dx), dy -= rint(dy), dz -= rint(dz);
            double r2 = dx * dx + dy * dy + dz * dz;
            int near = r2 < limit && j != i;
            r2 = near ? r2 * square : 1;
            double u = pair(r2, s2, e4) * (smooth ? switched(r2) : 1) - less;
            sum += near ? u : 0;
        }
    }
    return sum;
}

static double energy(void) {
    double sum = 0;
    for (int i = 0; i < number; i++) sum += energy_at(i, x[i], y[i], z[i], 0);
    return sum / 2;
}

/* Of a pair of kinds: 2 pi times the integral of what the cutoff and the switch leave out. */
static double left_out(int a, int b) {
    double sum = 0, step = 1e-3;
    for (double r = switch_on + step / 2; r < 60; r += step) {
        double kept = r < cutoff ? switched(r * r) : 0;
        sum += pair(r * r, sigma2[a][b], epsilon4[a][b]) * (1 - kept) * r * r * step;
    }
    return 2 * M_PI * sum;
}

static void set_up(double s, double e, double density) {
    double sigma[2] = {1, s}, epsilon[2] = {1, e};
    int side = (int)ceil(cbrt(number)), counts[2] = {first, number - first};
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) {
            sigma2[a][b] = pow((sigma[a] + sigma[b]) / 2, 2);
            epsilon4[a][b] = 4 * sqrt(epsilon[a] * epsilon[b]);
            at_cutoff[a][b] = switch_on < cutoff ? 0 : pair(cutoff * cutoff, sigma2[a][b], epsilon4[a][b]);
        }
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) tail += counts[a] * (double)counts[b] * left_out(a, b);
    for (int i = 0; i < number; i++) {
        x[i] = (i % side + 0.5) / side, y[i] = (i / side % side + 0.5) / side;
        z[i] = (i / side / side + 0.5) / side;
    }
    for (int i = number - 1; i > 0; i--) { /* both kinds all over the lattice */
        int j = (int)(uniform() * (i + 1));
        double px = x[i], py = y[i], pz = z[i];
        x[i] = x[j], y[i] = y[j], z[i] = z[j];
        x[j] = px, y[j] = py, z[j] = pz;
    }
    edge = cbrt(number / density);
}

static void print(const char *name, const double *blocks) {
    double mean = 0, square = 0;
    for (int b = 0; b < BLOCKS; b++) mean += blocks[b] / BLOCKS;
    for (int b = 0; b < BLOCKS; b++) square += pow(blocks[b] - mean, 2);
    printf("%s %.6f +- %.6f\n", name, mean, sqrt(square / BLOCKS / (BLOCKS - 1)));
}

int main(int count, char **given) {
    if (count != 12) return fprintf(stderr, "eleven arguments; see the head of monte_carlo.c\n"), 2;
    double temperature = atof(given[1]), pressure = atof(given[2]), shift = atof(given[9]);
    long sweeps = atol(given[10]), accepted = 0, tried = 0;
    first = atoi(given[3]);
    number = first + atoi(given[4]);
    if (number > MOST) return fprintf(stderr, "at most %d atoms\n", MOST), 2;
    switch_on = atof(given[7]), cutoff = atof(given[8]);
    state[0] = 77777777777ULL * strtoul(given[11], 0, 10) + 1, state[1] = 99991;
    for (int i = 0; i < 100; i++) uniform();
    set_up(atof(given[5]), atof(given[6]), 0.75);

    double step = 0.12, stretch = 0.02 * number, total = energy();
    double densities[BLOCKS] = {0}, volumes[BLOCKS] = {0}, enthalpies[BLOCKS] = {0};
    for (long sweep = -sweeps / 10; sweep < sweeps; sweep++) {
        for (int move = 0; move < number; move++) {
            int i = (int)(uniform() * number);
            double px = x[i] + 2 * step / edge * (uniform() - 0.5), py = y[i] + 2 * step / edge * (uniform() - 0.5),
                   pz = z[i] + 2 * step / edge * (uniform() - 0.5);
            double change = energy_at(i, px, py, pz, shift) - energy_at(i, x[i], y[i], z[i], shift);
            tried++;
            if (change > 0 && uniform() >= exp(-change / temperature)) continue;
            x[i] = px - floor(px), y[i] = py - floor(py), z[i] = pz - floor(pz);
            accepted++;
        }
        total = energy();
        for (int move = 0; move < 2; move++) {
            double volume = edge * edge * edge, next = volume + 2 * stretch * (uniform() - 0.5), before = edge;
            edge = cbrt(next);
            double moved = energy();
            double work = moved - total + tail / next - tail / volume + pressure * (next - volume);
            if (uniform() < exp(-work / temperature + number * log(next / volume))) total = moved;
            else edge = before;
        }
        if (sweep < 0) {
            if (sweep % 50 == 0) step *= accepted > 0.4 * tried ? 1.1 : 0.9, accepted = tried = 0;
            continue;
        }
        double volume = edge * edge * edge, share = BLOCKS / (double)(sweeps / BLOCKS * BLOCKS);
        if (sweep >= sweeps / BLOCKS * BLOCKS) break;
        int block = (int)(sweep / (sweeps / BLOCKS));
        densities[block] += share * number / volume;
        volumes[block] += share * volume / number;
        enthalpies[block] += share * (total + tail / volume + pressure * volume) / number;
    }
    print("density", densities);
    print("volume of an atom", volumes);
    print("enthalpy of an atom, without kinetic energy", enthalpies);
    return 0;
}
